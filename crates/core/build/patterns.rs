//! Compiles the patterns of the schemas at build time, each into the transition table of a minimal
//! DFA over bytes, so that a call compiles no regular expression.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::start;

/// The state from which no match can come.
const DEAD: u8 = 0;
/// The state of a match.
const MATCH: u8 = 1;
/// The state that an automaton starts in.
const START: u8 = 2;

/// Writes one table for each pattern, `P` and its number.
pub(crate) fn render(patterns: &BTreeMap<String, usize>) -> Result<String, String> {
    let mut code = String::new();
    for (pattern, number) in patterns {
        let table = Table::of(pattern).map_err(|why| format!("the pattern {pattern}: {why}"))?;
        let _ = writeln!(
            code,
            "/// `{}`\nstatic P{number}: Pattern = Pattern {{\n    classes: &{:?},\n    width: {},\n    next: &{:?},\n    at_end: &{:?},\n}};",
            pattern.replace('`', "'"),
            table.classes,
            table.width,
            table.next,
            table.at_end,
        );
    }
    Ok(code)
}

struct Table {
    /// The class of each byte.
    classes: Vec<u8>,
    /// How many classes there are.
    width: usize,
    /// The next state, by state and class.
    next: Vec<u8>,
    /// Whether a text that ends in a state matches.
    at_end: Vec<bool>,
}

impl Table {
    fn of(pattern: &str) -> Result<Self, String> {
        let automaton = dense::Builder::new()
            .configure(
                dense::Config::new()
                    .start_kind(StartKind::Unanchored)
                    .minimize(true),
            )
            .build(pattern)
            .map_err(|error| error.to_string())?;
        let start = automaton
            .start_state(&start::Config::new().anchored(Anchored::No))
            .map_err(|error| error.to_string())?;
        let mut numbers = HashMap::from([(start, START)]);
        let mut states = vec![start];
        let mut rows: Vec<[u8; 256]> = Vec::new();
        let mut at_end = vec![false, true];
        while let Some(&state) = states.get(rows.len()) {
            let mut row = [DEAD; 256];
            for byte in 0..=255_u8 {
                let next = automaton.next_state(state, byte);
                row[usize::from(byte)] = number(&automaton, next, &mut numbers, &mut states)?;
            }
            rows.push(row);
            at_end.push(automaton.is_match_state(automaton.next_eoi_state(state)));
        }
        let mut all = vec![[DEAD; 256], [MATCH; 256]];
        all.extend(rows);
        Ok(Self::packed(&all, at_end))
    }

    /// Bytes that lead the same way from every state share a column.
    fn packed(rows: &[[u8; 256]], at_end: Vec<bool>) -> Self {
        let mut known: HashMap<Vec<u8>, u8> = HashMap::new();
        let mut columns: Vec<Vec<u8>> = Vec::new();
        let classes: Vec<u8> = (0..256)
            .map(|byte| {
                let column: Vec<u8> = rows.iter().map(|row| row[byte]).collect();
                *known.entry(column.clone()).or_insert_with(|| {
                    columns.push(column);
                    u8::try_from(columns.len() - 1).expect("there are 256 bytes")
                })
            })
            .collect();
        let next =
            (0..rows.len()).flat_map(|state| columns.iter().map(move |column| column[state]));
        Self {
            classes,
            width: columns.len(),
            next: next.collect(),
            at_end,
        }
    }
}

/// The number of a state in the table; states that cannot be left are two.
fn number(
    automaton: &impl Automaton,
    state: StateID,
    numbers: &mut HashMap<StateID, u8>,
    states: &mut Vec<StateID>,
) -> Result<u8, String> {
    if automaton.is_dead_state(state) {
        return Ok(DEAD);
    }
    if automaton.is_match_state(state) {
        return Ok(MATCH);
    }
    if automaton.is_quit_state(state) {
        return Err("it cannot be decided byte by byte".to_owned());
    }
    if let Some(number) = numbers.get(&state) {
        return Ok(*number);
    }
    let number = u8::try_from(states.len() + usize::from(START))
        .map_err(|_| "it needs more than 254 states".to_owned())?;
    numbers.insert(state, number);
    states.push(state);
    Ok(number)
}
