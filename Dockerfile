# The lab in a container:
#
#   docker build -t neural-composer .
#   docker run -p 8888:8888 neural-composer
#
# Then open the address with the token that it prints.
FROM rust:1.95-bookworm

# What the lab needs from the system: ALSA's headers, Python's venv module, a C compiler.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends \
        build-essential libasound2-dev pkg-config python3 python3-venv \
    && rm -rf /var/lib/apt/lists/* \
    && rustup component add rust-src rust-analyzer

# A folder that WORKDIR makes would be root's.
RUN useradd --create-home composer \
    && install --directory --owner=composer --group=composer /home/composer/NeuralComposer
# Cells compile, and `:dep` downloads crates: both write to cargo's folder, which is root's in the
# image. The toolchain itself stays root's.
ENV CARGO_HOME=/home/composer/.cargo
USER composer
WORKDIR /home/composer/NeuralComposer

COPY --chown=composer:composer . .
# Everything that takes minutes.
RUN ./lab --prepare && rm -rf /home/composer/.cache/pip

EXPOSE 8888
# A container's loopback cannot be reached from outside: --ip opens it to whoever reaches the
# published port. The token stays.
CMD ["./lab", "--no-browser", "--ip=0.0.0.0", "--port=8888"]
