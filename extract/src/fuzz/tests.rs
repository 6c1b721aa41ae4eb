//! Replays the kept corpus and the samples through the targets; with `SPENDLAKE_FUZZ_SECONDS`, mutates
//! them for so long, each target in turn.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::*;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 4] = [
    ("page", page),
    ("fields", fields),
    ("wait", wait),
    ("date", date),
];

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("each target has a corpus")
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    let mut inputs: Vec<Vec<u8>> = files.iter().map(|file| fs::read(file).unwrap()).collect();
    if target == "page" {
        for (place, resource) in RESOURCES.iter().enumerate() {
            inputs.push([&[place as u8], resource.sample.as_bytes()].concat());
        }
    }
    inputs
}

#[test]
fn the_corpus_holds() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name}");
        for input in &inputs {
            target(input);
            for length in 0..input.len().min(400) {
                target(&input[..length]);
            }
        }
    }
}

#[test]
fn mutants_of_the_corpus_hold() {
    let seconds = std::env::var("SPENDLAKE_FUZZ_SECONDS")
        .ok()
        .and_then(|seconds| seconds.parse().ok());
    for (name, target) in TARGETS {
        let mut inputs = corpus(name);
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
        let begin = Instant::now();
        let mut count = 0_usize;
        while match seconds {
            Some(seconds) => begin.elapsed() < Duration::from_secs(seconds),
            None => count < 2_000,
        } {
            let mutant = dice.mutant(&inputs);
            let started = Instant::now();
            target(&mutant);
            assert!(
                started.elapsed() < Duration::from_secs(2),
                "{name}: {mutant:?}"
            );
            // A mutant of a mutant goes further; how they are chosen is left to chance.
            if count.is_multiple_of(16) && mutant.len() < 1 << 16 {
                let place = dice.below(inputs.len() + 1).max(1);
                if inputs.len() < 512 {
                    inputs.push(mutant);
                } else {
                    inputs[place - 1] = mutant;
                }
            }
            count += 1;
        }
        println!("{name}: {count} mutants in {:?}", begin.elapsed());
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize) % most.max(1)
    }

    fn mutant(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        const WORDS: [&[u8]; 24] = [
            b"\"",
            b"\\",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"null",
            b"\"id\":1,",
            b"\\u",
            b"\\ud83d\\ude00",
            b"\xff",
            b"\xef\xbb\xbf",
            b"1e999",
            b"-",
            b".",
            b"0",
            b" GMT",
            b"+13:00",
            b"2026-02-29",
            b"\"password\":",
            b"secret",
            b"\0",
        ];
        let mut bytes = inputs[self.below(inputs.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len() + 1);
            let end = (at + self.below(32)).min(bytes.len());
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.drain(at..end)),
                2 => drop(bytes.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied())),
                3 => drop(bytes.splice(at..end, WORDS[self.below(WORDS.len())].iter().copied())),
                4 => {
                    let other = &inputs[self.below(inputs.len())];
                    let from = self.below(other.len() + 1);
                    let to = (from + self.below(64)).min(other.len());
                    bytes.splice(at..at, other[from..to].iter().copied());
                }
                _ => {
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
        bytes
    }
}
