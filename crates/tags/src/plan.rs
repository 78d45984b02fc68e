//! What to write into a file.

use cratedigger_protocol::tags::{Change, Field, Heard, Kept, Plan, PlanOptions, Tags};

/// Plans the fields of a file with these tags, from what was heard in it.
pub fn plan(tags: &Tags, heard: &Heard, options: &PlanOptions) -> Plan {
    let mut plan = Plan::default();
    let mut add = |field: Field, new: Vec<String>| {
        let old = tags.values(field);
        if new.is_empty() || old == new {
            return;
        }
        if old.is_empty() || options.replace {
            plan.changes.push(Change { field, old, new });
        } else {
            plan.kept.push(Kept::There { field, old });
        }
    };
    let (class, probability) = heard.ranked.first().cloned().unwrap_or_default();
    let mut unsure = None;
    if heard.none {
        let kind = heard.non_music.clone();
        unsure = Some(kind.map_or(Kept::NoneOfThese, |kind| Kept::NonMusic { kind }));
    } else if probability < options.sure {
        unsure = Some(Kept::Unsure { class, probability });
    } else {
        add(Field::Genre, genres(heard, options));
    }
    if let (true, Some(tempo)) = (options.bpm, heard.tempo) {
        add(Field::Bpm, vec![format!("{:.0}", tempo.round())]);
    }
    if let (Some(field), false, false) = (options.heard, heard.tags.is_empty(), heard.none) {
        add(field, vec![heard.tags.join(", ")]);
    }
    plan.kept.extend(unsure);
    plan
}

/// The names of the most probable class and of further ones that are wanted, each once.
fn genres(heard: &Heard, options: &PlanOptions) -> Vec<String> {
    let is_wanted = |probability: f32| options.more.is_some_and(|least| probability >= least);
    let further = heard.ranked.iter().skip(1).filter(|(_, probability)| is_wanted(*probability));
    let mut genres: Vec<String> = Vec::new();
    for (class, _) in heard.ranked.iter().take(1).chain(further) {
        let names = options.names.iter().find(|(named, _)| named == class);
        let names = names.map_or_else(|| vec![class.clone()], |(_, names)| names.clone());
        for name in names {
            if !genres.contains(&name) {
                genres.push(name);
            }
        }
    }
    genres
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> PlanOptions {
        PlanOptions {
            sure: 0.8,
            replace: false,
            more: None,
            names: [("rock".to_owned(), vec!["Rock/Classic".to_owned(), "Guitars".to_owned()])].into(),
            bpm: true,
            heard: Some(Field::Comment),
        }
    }

    fn heard(probability: f32) -> Heard {
        Heard {
            ranked: vec![("rock".into(), probability), ("blues".into(), 0.1), ("jazz".into(), 0.05)],
            tempo: Some(127.6),
            tags: vec!["guitar".into(), "loud".into()],
            ..Heard::default()
        }
    }

    #[test]
    fn only_empty_fields_are_written_unless_others_are_to_be_replaced() {
        let tags = Tags { genres: vec!["Pop".into()], bpm: Some("128".into()), ..Tags::default() };
        let kept = plan(&tags, &heard(0.85), &options());
        assert_eq!(kept.kept, [Kept::There { field: Field::Genre, old: vec!["Pop".into()] }]);
        // The tempo is there already.
        let fields: Vec<Field> = kept.changes.iter().map(|change| change.field).collect();
        assert_eq!(fields, [Field::Comment]);
        let replaced =
            plan(&tags, &heard(0.85), &PlanOptions { replace: true, more: Some(0.1), ..options() });
        let genre = replaced.changes.first().cloned();
        let new = ["Rock/Classic", "Guitars", "blues"].map(String::from).to_vec();
        assert_eq!(genre, Some(Change { field: Field::Genre, old: vec!["Pop".into()], new }));
        assert_eq!(replaced.kept, []);
    }

    #[test]
    fn an_answer_that_is_not_sure_or_no_genre_is_not_written() {
        let fields = |plan: &Plan| plan.changes.iter().map(|change| change.field).collect::<Vec<_>>();
        let unsure = plan(&Tags::default(), &heard(0.79), &options());
        assert_eq!(fields(&unsure), [Field::Bpm, Field::Comment]);
        assert_eq!(unsure.kept, [Kept::Unsure { class: "rock".into(), probability: 0.79 }]);
        let speech = Heard { none: true, non_music: Some("speech".into()), ..heard(0.9) };
        let speech = plan(&Tags::default(), &speech, &options());
        assert_eq!(fields(&speech), [Field::Bpm]);
        assert_eq!(speech.kept, [Kept::NonMusic { kind: "speech".into() }]);
        let none = plan(&Tags::default(), &Heard { none: true, ..heard(0.9) }, &options());
        assert_eq!(none.kept, [Kept::NoneOfThese]);
    }
}
