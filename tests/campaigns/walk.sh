#!/usr/bin/env bash
# A stranger's walk through README: every command of it, in a fresh clone with a fresh home.
#
#     tests/campaigns/walk.sh FOLDER SONG OTHER_SONG > walk.txt
#
# FOLDER is made anew; the songs are any two that ffmpeg reads, a minute or more long. What each command
# printed last, its status and its seconds are told. docs/WALK.md is such a walk, looked at. It needs git,
# curl and ffmpeg; Rust is taken from where it is.
set -u
checkout=$(cd "$(dirname "$0")/../.." && pwd)
walk=$1 song=$(realpath "$2") other=$(realpath "$3")
mkdir -p "$walk/home" && cd "$walk" || exit 1
walk=$PWD
export RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} HOME=$walk/home CARGO_HOME=$walk/cargo
unset XDG_CACHE_HOME
lines=12

run() {
    printf '\n### %s $ %s\n' "$(date +%T)" "$*"
    local began=$SECONDS status
    "$@" > "$walk/output" 2>&1
    status=$?
    tr '\r' '\n' < "$walk/output" | tail -n "$lines"
    echo "--> status $status, $((SECONDS - began)) s"
}

run git clone -q "$checkout" NeuralComposer
cd NeuralComposer || exit 1
lines=40 run ./lab --doctor
run ./lab --execute notebooks/02-explore-songs.ipynb

./lab --no-browser --port 8899 > "$walk/lab.log" 2>&1 &
began=$(date +%s%N)
for _ in $(seq 600); do
    curl -s -o /dev/null http://localhost:8899/api && break
    sleep 0.1
done
printf '\n### ./lab answers after %s ms\n' $((($(date +%s%N) - began) / 1000000))
pkill -f "port 8899"

ffmpeg -v error -y -i "$song" -t 100 my-song.mp3
ffmpeg -v error -y -i "$other" -t 60 b.mp3
ffmpeg -v error -y -i "$song" -ss 20 -t 6 sketch.wav
ffmpeg -v error -y -i "$song" -ss 40 -t 8 -ac 1 hum.m4a
composer=(cargo run --release --)
run "${composer[@]}" compose my-song.mp3 --seconds 30 --seed 7 -o night.wav
short=(--seconds 10 --steps 100)
run "${composer[@]}" compose my-song.mp3 --adventurous 0.9 "${short[@]}" -o surprise.wav
run "${composer[@]}" compose my-song.mp3 --continue sketch.wav "${short[@]}" -o further.wav
run "${composer[@]}" compose my-song.mp3 --tune hum.m4a "${short[@]}" -o tune.wav
run "${composer[@]}" compose my-song.mp3 b.mp3 --blend 1,2 "${short[@]}" -o blend.wav
run "${composer[@]}" compose my-song.mp3 --tempo 1.2 --transpose -3 "${short[@]}" -o moved.wav
run "${composer[@]}" compose my-song.mp3 --seconds 30 --seed 7 -o night.wav --regenerate 20..30
run "${composer[@]}" generate night.safetensors --seed 8 -o eight.wav
run "${composer[@]}" judge my-song.mp3 night.wav --picture verdict.png
run "${composer[@]}" info my-song.mp3 night.safetensors night.wav
mkdir songs && cp my-song.mp3 b.mp3 sketch.wav songs
run "${composer[@]}" corpus build songs -o corpus
run "${composer[@]}" corpus check corpus
# What goes wrong says so.
run "${composer[@]}" compose nosuch.mp3 -o x.wav
run "${composer[@]}" compose my-song.mp3 --seconds 0 -o x.wav
run "${composer[@]}" compose my-song.mp3 -o my-song.mp3
printf '\n### in a pipe\n'
ffmpeg -v error -i my-song.mp3 -f wav - |
    target/release/neural-composer compose - --steps 60 --seconds 5 -o - 2> "$walk/output" |
    ffprobe -v error -show_entries stream=sample_rate,channels -of csv -
tail -n 3 "$walk/output"
run .lab/kernel/bin/neural-composer-kernel install --home .
run git status --short
