//! The floor of `warm.py`: posts each line of standard input, over one kept connection a thread,
//! and counts the answers. It checks nothing but the status.
//!
//! Environment: `URL`, `TOKEN`, `IN_FLIGHT` (how many threads).

use std::env::var;
use std::io::{Read, stdin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::scope;

use ureq::Agent;

fn main() {
    let mut text = String::new();
    stdin().read_to_string(&mut text).expect("bodies on standard input");
    let bodies: Vec<&str> = text.lines().collect();
    let threads: usize = var("IN_FLIGHT").expect("IN_FLIGHT").parse().expect("a number");
    let (next, accepted) = (AtomicUsize::new(0), AtomicUsize::new(0));
    scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| work(&bodies, &next, &accepted));
        }
    });
    println!("{}", accepted.into_inner());
}

fn work(bodies: &[&str], next: &AtomicUsize, accepted: &AtomicUsize) {
    let url = var("URL").expect("URL");
    let bearer = format!("Bearer {}", var("TOKEN").expect("TOKEN"));
    let agent = Agent::new_with_defaults();
    while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
        let request = agent
            .post(&url)
            .header("Content-Type", "application/json")
            .header("Authorization", &bearer);
        let mut answer = request.send(*body).expect("an answer");
        let answer = answer.body_mut().read_to_string().expect("a whole answer");
        accepted.fetch_add(usize::from(answer.contains("sentMessages")), Ordering::Relaxed);
    }
}
