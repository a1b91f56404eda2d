//! What a name that is not known may stand for.

/// The candidate whose name is nearest to `name`, if one is near.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Below this, names have little in common (Jaro-Winkler similarity, 0 to 1); clap suggests from 0.7 on.
    const NEAR: f64 = 0.8;
    /// Longest name for which something is suggested, in bytes: the comparison takes the product of two lengths.
    const LONGEST: usize = 100;
    let is_short = |name: &&str| name.len() <= LONGEST;
    let name = Some(name).filter(is_short)?;
    let scored = candidates.into_iter().filter(is_short).map(|c| (strsim::jaro_winkler(name, c), c));
    scored.filter(|(score, _)| *score > NEAR).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, c)| c)
}

/// The end of a message about a name that is not known: what may be meant, if something is near.
#[must_use]
pub fn did_you_mean(near: Option<&str>) -> String {
    near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_suggested_for_what_is_no_name() {
        assert_eq!(nearest("bio.quue", ["bio.queue", "rq.queue"]), Some("bio.queue"));
        let long = "x".repeat(1 << 20);
        assert_eq!(nearest(&long, [&*long]), None);
        assert_eq!(nearest("x", [&*long]), None);
    }
}
