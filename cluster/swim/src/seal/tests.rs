//! The seal against whoever has not the key, has an old one, replays, or flips bits.

use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::*;

const NOW: u64 = 1_790_000_000_000;

fn key(byte: u8) -> Key {
    Key::new(&[byte; 32]).unwrap()
}

fn envelope(seed: u64, label: &str, seal: Seal) -> Envelope {
    let options = Options { label: label.into(), seal, ..Options::lan(3) };
    Envelope::new(&options, NOW, &mut StdRng::seed_from_u64(seed))
}

fn sealed(seed: u64, keys: &[u8]) -> Envelope {
    envelope(seed, "c", Seal::Keys(keys.iter().map(|byte| key(*byte)).collect()))
}

#[test]
fn payloads_come_out_once() {
    let (mut from, mut to) = (sealed(1, &[1]), sealed(2, &[1]));
    let datagrams: Vec<_> = (0..5_u8).map(|at| from.seal(NOW, &[at; 9]).unwrap()).collect();
    assert_eq!(datagrams[0].len(), 9 + SEALED_BYTES);
    for at in [3_u8, 0, 4, 1, 2] {
        assert_eq!(to.open(NOW, &datagrams[usize::from(at)]), Ok(vec![at; 9]));
    }
    for datagram in &datagrams {
        assert_eq!(to.open(NOW, datagram), Err(DropReason::Replayed));
    }
}

#[test]
fn strangers_are_told_apart() {
    let check = |from: &mut Envelope, to: &mut Envelope, expected: Result<(), DropReason>| {
        let datagram = from.seal(NOW, b"hello").unwrap();
        assert_eq!(to.open(NOW, &datagram).map(|payload| assert_eq!(payload, b"hello")), expected);
    };
    let plain = |label: &str| envelope(3, label, Seal::Off);
    check(&mut sealed(1, &[1]), &mut sealed(2, &[1]), Ok(()));
    check(&mut sealed(1, &[2]), &mut sealed(2, &[1, 2]), Ok(()));
    check(&mut sealed(1, &[2]), &mut sealed(2, &[1]), Err(DropReason::UnknownKey));
    check(&mut plain("c"), &mut plain("c"), Ok(()));
    check(&mut plain("c"), &mut plain("d"), Err(DropReason::OtherCluster));
    check(&mut plain("c"), &mut sealed(2, &[1]), Err(DropReason::Unsealed));
    check(&mut sealed(2, &[1]), &mut plain("c"), Err(DropReason::Sealed));
    let mut other = envelope(1, "d", Seal::Keys(vec![key(1)]));
    check(&mut other, &mut sealed(2, &[1]), Err(DropReason::OtherCluster));
}

#[test]
fn a_label_that_hashes_alike_does_not_open() {
    let mut from = envelope(1, "d", Seal::Keys(vec![key(1)]));
    let mut to = sealed(2, &[1]);
    from.label_hash = to.label_hash;
    let datagram = from.seal(NOW, b"hello").unwrap();
    assert_eq!(to.open(NOW, &datagram), Err(DropReason::BrokenSeal));
}

#[test]
fn time_is_bounded_both_ways() {
    let check = |sent: u64, read: u64, expected: Result<(), DropReason>| {
        let datagram = sealed(1, &[1]).seal(sent, b"x").unwrap();
        assert_eq!(sealed(2, &[1]).open(read, &datagram).map(|_| ()), expected, "{sent} {read}");
    };
    let skew = Options::lan(3).max_skew_ms;
    check(NOW, NOW + skew, Ok(()));
    check(NOW, NOW + skew + 1, Err(DropReason::TooOld));
    check(NOW + skew, NOW, Ok(()));
    check(NOW + skew + 1, NOW, Err(DropReason::FromTheFuture));
}

#[test]
fn forgetting_a_sender_lets_no_replay_in() {
    let (mut from, mut to) = (sealed(1, &[1]), sealed(2, &[1]));
    let old = from.seal(NOW, b"old").unwrap();
    assert!(to.open(NOW, &old).is_ok());
    // Long after, a newcomer makes room; then the receiver's clock is set back.
    let later = NOW + 10 * Options::lan(3).max_skew_ms;
    assert!(to.open(later, &sealed(3, &[1]).seal(later, b"new").unwrap()).is_ok());
    assert_eq!(to.open(NOW, &old), Err(DropReason::TooOld));
}

#[test]
fn keys_are_rotated_without_a_gap() {
    let (mut from, mut to) = (sealed(1, &[1]), sealed(2, &[1]));
    let pass = |from: &mut Envelope, to: &mut Envelope| {
        let datagram = from.seal(NOW, b"x").unwrap();
        assert_eq!(to.open(NOW, &datagram), Ok(b"x".to_vec()));
        assert_eq!(to.open(NOW, &datagram), Err(DropReason::Replayed));
        datagram
    };
    let first = pass(&mut from, &mut to);
    from.set_keys(vec![key(1), key(2)]);
    to.set_keys(vec![key(1), key(2)]);
    pass(&mut from, &mut to);
    from.set_keys(vec![key(2), key(1)]);
    pass(&mut from, &mut to);
    assert_eq!(to.open(NOW, &first), Err(DropReason::Replayed), "one window for both keys");
    to.set_keys(vec![key(2)]);
    pass(&mut from, &mut to);
    let stranger = sealed(4, &[1]).seal(NOW, b"x").unwrap();
    assert_eq!(to.open(NOW, &stranger), Err(DropReason::UnknownKey));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let datagram = sealed(1, &[1]).seal(NOW, b"members").unwrap();
    let mut to = sealed(2, &[1]);
    for end in 0..datagram.len() {
        assert!(to.open(NOW, &datagram[..end]).is_err(), "cut at {end}");
    }
    for bit in 0..datagram.len() * 8 {
        let mut flipped = datagram.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(to.open(NOW, &flipped).is_err(), "bit {bit}");
    }
    assert!(to.open(NOW, &datagram).is_ok(), "what was refused left nothing behind");
}

#[test]
fn senders_that_are_remembered_are_bounded() {
    let mut to = sealed(2, &[1]);
    let mut first = sealed(10_000, &[1]);
    let replay = first.seal(NOW, b"x").unwrap();
    assert!(to.open(NOW, &replay).is_ok());
    for seed in 0..4096_u64 {
        let datagram = sealed(seed + 20_000, &[1]).seal(NOW + 1 + seed, b"x").unwrap();
        assert!(to.open(NOW + seed, &datagram).is_ok(), "{seed}");
    }
    assert_eq!(
        to.open(NOW, &replay),
        Err(DropReason::TooOld),
        "the one that had to go is not believed again"
    );
}

#[test]
fn what_is_too_large_is_not_read() {
    let datagram = sealed(1, &[1]).seal(NOW, &[0; 1400]).unwrap();
    assert_eq!(sealed(2, &[1]).open(NOW, &datagram), Err(DropReason::TooLarge));
}

#[test]
fn a_key_is_not_printed() {
    let printed = format!("{:?}", key(0x41));
    assert!(
        !printed.contains("65") && !printed.contains("41414141") && printed.starts_with("Key("),
        "{printed}"
    );
    assert_eq!(Key::new(b"short"), Err(crate::Error::Key(5)));
}

proptest! {
    #[test]
    fn any_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..120), forged: bool) {
        let mut to = sealed(2, &[1]);
        let head = [&MAGIC[..], &[VERSION, SEALED], &to.label_hash(), &key(1).id()].concat();
        let datagram = if forged { [head, bytes].concat() } else { bytes };
        prop_assert!(to.open(0, &datagram).is_err());
    }
}
