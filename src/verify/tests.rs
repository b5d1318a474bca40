//! The attack table: a genuine archive or store, one thing done to it, and the code that must come of it.

mod amendments;
mod attacks;
mod chains;
mod fixture;
mod rotations;
mod stock;
mod zips;
