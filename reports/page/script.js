// Comfort only: the page says everything without it. Sorts tables and hides targets.
(() => {
  "use strict";
  const value = (row, column) => {
    const cell = row.cells[column];
    const data = cell.querySelector("data");
    if (data) return Number(data.value);
    const number = parseFloat(cell.textContent.replace(/,/g, ""));
    return cell.classList.contains("num") ? (Number.isNaN(number) ? Infinity : number) : cell.textContent.trim();
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => {
          const x = value(a, column), y = value(b, column);
          const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
          return up ? order || 0 : -order || 0;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));
  const first = document.querySelector("nav");
  const names = new Map();
  for (const key of document.querySelectorAll("#settings tbody th .key")) {
    const place = [...key.classList].find((name) => /^k\d+$/.test(name));
    if (place) names.set(place.slice(1), key.parentElement);
  }
  if (names.size > 1) {
    const box = document.createElement("fieldset");
    box.className = "toggles";
    const legend = document.createElement("legend");
    legend.textContent = "Show in figures and tables";
    box.append(legend);
    for (const [place, name] of names) {
      const label = document.createElement("label");
      const input = document.createElement("input");
      input.type = "checkbox";
      input.checked = true;
      input.addEventListener("change", () => {
        for (const part of document.querySelectorAll(`.s${place}, .t${place}`)) {
          part.classList.toggle("off", !input.checked);
        }
        document.dispatchEvent(new CustomEvent("target-shown", { detail: { place: Number(place), on: input.checked } }));
      });
      label.append(input, name.cloneNode(true));
      box.append(label);
    }
    first.after(box);
  }
})();
