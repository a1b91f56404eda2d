//! The types of events that answers are: one for each place, with the fields and the callers that were found there.
//!
//! In: answers, free numbers of probes. Out: a probe for each type; of each answer its type and words.

use super::super::RewriteError;
use super::Answer;
use super::text::AnswerForm;
use crate::hash::Map;
use iotrace_format::definition::{At, Definition, Probe};
use iotrace_format::event::{KindId, MAX_WORDS};
use iotrace_format::layer::Layer;

/// What the names of these events begin with.
const PREFIX: &str = "ask.";
/// Longest name in bytes: a reader shortens longer ones.
const NAME: usize = 512;
/// Bytes that the number of a part may take behind a field's name.
const PART: usize = 4;
/// Most callers: a reader drops further ones.
const CALLERS: usize = 64;

/// What answers of one type have in common.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Shape<'a> {
    place: &'a str,
    fields: Vec<&'a str>,
    callers: &'a [String],
}

/// A type of events.
#[derive(Debug)]
struct AnswerKind {
    kind: KindId,
    fields: Vec<AnswerForm>,
    definition: Definition,
}

/// All types of a list of answers.
#[derive(Debug)]
pub struct AnswerKinds {
    kinds: Vec<AnswerKind>,
    /// Of each answer: its type's place among them.
    of: Vec<usize>,
}

impl AnswerKinds {
    /// Finds out the types of answers; `free` are the numbers that they may have.
    ///
    /// # Errors
    /// [`RewriteError::Answer`] of one that is too large, [`RewriteError::EventTypes`] if there are too many types.
    pub fn new(answers: &[Answer], free: &[KindId]) -> Result<Self, RewriteError> {
        let (mut shapes, mut found) =
            (Map::<Shape<'_>, usize>::default(), Vec::<(usize, Vec<AnswerForm>)>::new());
        let mut of = Vec::with_capacity(answers.len());
        for (at, answer) in answers.iter().enumerate() {
            check(at, answer)?;
            let shape = Shape {
                place: &answer.place,
                fields: answer.fields.iter().map(|(name, _)| name.as_str()).collect(),
                callers: &answer.callers,
            };
            let next = found.len();
            let place = *shapes.entry(shape).or_insert(next);
            let texts = answer.fields.iter().map(|(_, text)| text.as_str());
            if place == next {
                found.push((at, texts.map(AnswerForm::of).collect()));
            } else {
                let known = &mut found[place].1;
                known.iter_mut().zip(texts).for_each(|(field, text)| *field = field.with(text));
            }
            of.push(place);
        }
        if found.len() > free.len() {
            return Err(RewriteError::EventTypes { needed: found.len(), free: free.len() });
        }
        let kinds = found.into_iter().zip(free);
        let kinds = kinds.map(|((at, fields), kind)| AnswerKind::new(*kind, at, &answers[at], fields));
        Ok(Self { kinds: kinds.collect::<Result<_, _>>()?, of })
    }

    /// What defines them.
    pub fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.kinds.iter().map(|kind| &kind.definition)
    }

    /// Type and words of an answer, by its place in the list.
    pub fn event(&self, at: usize, answer: &Answer) -> (KindId, Vec<u64>) {
        let AnswerKind { kind, fields, .. } = &self.kinds[self.of[at]];
        let mut words = Vec::with_capacity(MAX_WORDS);
        for (field, (_, text)) in fields.iter().zip(&answer.fields) {
            field.put(text, &mut words);
        }
        (*kind, words)
    }
}

impl AnswerKind {
    /// That of an answer, the first of its type.
    fn new(kind: KindId, at: usize, answer: &Answer, fields: Vec<AnswerForm>) -> Result<Self, RewriteError> {
        let needed: usize = fields.iter().map(|field| field.words()).sum();
        if needed > MAX_WORDS {
            let named = answer.fields.iter().zip(&fields);
            let largest = named.max_by_key(|(_, field)| field.words());
            let (name, words) = largest.map_or(("", 0), |((name, _), field)| (name.as_str(), field.words()));
            let reason = format!(
                "its longest text needs {words} words of 8 bytes, all fields of the place {needed}, an event has {MAX_WORDS}; \
                 ask for less of it"
            );
            return Err(wrong(at, answer, &format!("field {name:?}"), reason));
        }
        let (mut words, mut roles) = (Vec::new(), Vec::new());
        for (field, (name, _)) in fields.iter().zip(&answer.fields) {
            let (names, role) = field.names(name);
            roles.resize(roles.len() + names.len(), Some(role));
            words.extend(names);
        }
        let (file, line) = source(&answer.place);
        let probe = Probe {
            id: kind,
            at: At::Inserted,
            function: name(&answer.place),
            layer: Layer::Other,
            file,
            line,
            words,
            roles,
            inside: answer.callers.clone(),
            ..Probe::default()
        };
        Ok(Self { kind, fields, definition: Definition::Probe(probe) })
    }
}

/// The name of a place's events. It has no blanks, so that it can be typed: between the function and the line of a write is
/// an `@`, as in a question.
fn name(place: &str) -> String {
    let replaced = |c: char| match c {
        c if c.is_whitespace() => '@',
        c if c.is_control() => '_',
        c => c,
    };
    PREFIX.chars().chain(place.chars().map(replaced)).collect()
}

/// The source file and line that a place ends with; none if it is a function alone.
fn source(place: &str) -> (String, u32) {
    let last = place.rsplit(' ').next().unwrap_or(place);
    let found = last.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?)));
    let found =
        found.filter(|(file, _)| file.ends_with(".c") || file.ends_with(".h") || file.ends_with(".S"));
    found.map_or_else(Default::default, |(file, line)| (file.to_owned(), line))
}

/// Whether what an answer says fits into definitions.
fn check(at: usize, answer: &Answer) -> Result<(), RewriteError> {
    let fits = |text: &str, most: usize, part: &dyn Fn() -> String| match text.len() {
        length if length > most => {
            Err(wrong(at, answer, &part(), format!("{length} bytes, at most {most} can be kept")))
        }
        _ if text.contains('\0') => Err(wrong(at, answer, &part(), "a character with the number 0".into())),
        _ => Ok(()),
    };
    if answer.place.is_empty() {
        return Err(wrong(at, answer, "place", "it is empty".into()));
    }
    fits(&answer.place, NAME - PREFIX.len(), &|| "place".into())?;
    for (name, text) in &answer.fields {
        fits(name, NAME - PART, &|| format!("name of field {name:?}"))?;
        fits(text, usize::MAX, &|| format!("field {name:?}"))?;
    }
    if answer.fields.len() > MAX_WORDS {
        let reason = format!("there are {}, an event has {MAX_WORDS}", answer.fields.len());
        return Err(wrong(at, answer, "fields", reason));
    }
    if answer.callers.len() > CALLERS {
        let reason = format!("there are {}, at most {CALLERS} can be kept", answer.callers.len());
        return Err(wrong(at, answer, "callers", reason));
    }
    answer.callers.iter().try_for_each(|caller| fits(caller, NAME, &|| "callers".into()))
}

fn wrong(at: usize, answer: &Answer, part: &str, reason: String) -> RewriteError {
    /// Characters of a text that a message shows.
    const SHOWN: usize = 64;
    let shown = |text: &str| text.chars().take(SHOWN).collect();
    RewriteError::Answer { number: at + 1, place: shown(&answer.place), part: shown(part), reason }
}
