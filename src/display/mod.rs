//! What a person sees: pictures, players, charts and cards.
