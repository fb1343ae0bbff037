const tiles = [...document.querySelectorAll(".tile")];
const parts = [...document.querySelectorAll("[data-outcome].part")];
const cards = [...document.querySelectorAll("article")];
const texts = new Map(cards.map((card) => [card, card.textContent.toLowerCase()]));
const search = document.querySelector(".find input");
const found = document.querySelector(".find output");

function show() {
  const chosen = tiles.filter((tile) => tile.ariaPressed === "true").map((tile) => tile.dataset.outcome);
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const card of cards) {
    card.hidden = !words.every((word) => texts.get(card).includes(word));
  }
  for (const folded of document.querySelectorAll("details")) {
    const hits = folded.querySelectorAll("article:not([hidden])").length;
    folded.hidden = words.length > 0 && !hits;
    folded.open = words.length > 0 && hits > 0;
  }
  for (const part of parts) {
    const hits = part.querySelectorAll("article:not([hidden])").length;
    part.hidden = (chosen.length > 0 && !chosen.includes(part.dataset.outcome)) || (words.length > 0 && !hits);
    shown += part.hidden ? 0 : hits;
  }
  found.value = words.length || chosen.length ? `${shown} shown` : "";
}

for (const tile of tiles) {
  tile.addEventListener("click", () => {
    tile.ariaPressed = String(tile.ariaPressed !== "true");
    show();
  });
}
search.addEventListener("input", show);
document.querySelector(".find").hidden = false;
document.body.classList.add("live");
