//! The seeds of the fuzz target `peer_frame`, as an ordinary test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)] // a test answers by panicking

#[path = "../../../engine/fuzz/corpus.rs"]
mod corpus;
#[path = "fuzz/peer_frame.rs"]
mod peer_frame;
#[path = "samples/mod.rs"]
mod samples;

use spanloom_peer::frame::HEADER_BYTES;

#[test]
fn peer_frame_holds_for_every_seed() {
    let frames = samples::frames();
    let mut seeds: Vec<(String, Vec<u8>)> = Vec::new();
    for (name, frame) in &frames {
        seeds.push((name.to_string(), frame.to_vec()));
        seeds.push((format!("{name}-bare"), bare(frame)));
    }
    let (_, frame) = &frames[0];
    let mut newer = frame.to_vec();
    newer[4] = 2;
    seeds.push(("newer-version".to_owned(), newer));
    seeds.push(("cut".to_owned(), frame[..frame.len() - 1].to_vec()));
    seeds.push(("empty".to_owned(), Vec::new()));
    let seeds: Vec<(&str, Vec<u8>)> =
        seeds.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    corpus::check("peer_frame", &seeds, peer_frame::holds);
}

/// A frame without its header, in the form that the target makes one for.
fn bare(frame: &[u8]) -> Vec<u8> {
    let mut bare = vec![frame[5], frame[8], frame[9]];
    bare.extend_from_slice(&frame[HEADER_BYTES..]);
    bare
}
