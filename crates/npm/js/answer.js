// Answers in the words of the package: probabilities by class.

/** The genre and the probabilities by class. The genre is the most probable class, also if the answer is none. */
export function answer(classes, probabilities, none, nonMusic) {
  let best = 0;
  probabilities.forEach((p, index) => (best = p > probabilities[best] ? index : best));
  return {
    genre: classes[best] ?? null,
    none,
    probabilities: Object.fromEntries(classes.map((name, index) => [name, probabilities[index] ?? 0])),
    nonMusic: nonMusic ?? null,
  };
}

/** A section with the name of its class. */
export function section(classes, { start, end, probability, label }) {
  const name = { class: classes[label.class], "non-music": label.name, silence: null }[label.kind] ?? null;
  return { start, end, kind: label.kind, name, probability };
}
