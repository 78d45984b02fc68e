import { Classifier } from "cratedigger";

const [input, progress, heading, list] = ["input", "progress", "h1", "ul"].map((name) => document.querySelector(name));

const loading = Classifier.load();

function show({ genre, none, probabilities }) {
  heading.textContent = none ? "None of these" : genre;
  list.replaceChildren(
    ...Object.entries(probabilities).map(([name, probability]) => {
      const row = document.createElement("li");
      const bar = Object.assign(document.createElement("meter"), { value: probability, ariaLabel: name });
      row.append(name, " ", bar);
      return row;
    }),
  );
}

input.addEventListener("change", async () => {
  const [file] = input.files;
  progress.hidden = false;
  try {
    const classifier = await loading;
    const song = classifier.classify(file);
    for await (const { song: soFar, done, total } of song) {
      progress.value = done / total;
      if (soFar) show(soFar);
    }
    show(await song);
  } catch (error) {
    heading.textContent = error.message;
  }
  progress.hidden = true;
});
