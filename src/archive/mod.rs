#![doc = include_str!("FORMAT.md")]

pub mod merkle;
pub mod path;
