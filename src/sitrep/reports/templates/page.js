(() => {
  "use strict";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // One evaluation at a time; without this script all stand one below the other.
  const tabs = all("[data-tab]");
  const choose = (key) => {
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.tab === key));
    for (const part of all("[data-evaluation]")) part.hidden = part.dataset.evaluation !== key;
  };
  for (const tab of tabs) tab.addEventListener("click", () => choose(tab.dataset.tab));
  if (tabs.length) {
    tabs[0].parentElement.hidden = false;
    choose(tabs[0].dataset.tab);
  }

  // Keys are numbers joined by dots, such as label.kind; a filter asks for one of them: "" any, "!0" all but 0.
  const fits = (wanted, part) => wanted === "" || (wanted === "!0" ? part !== "0" : part === wanted);

  const setUp = (box) => {
    const form = box.querySelector(".filters");
    const items = all("[data-item]", box).map((element) => ({
      element,
      words: element.textContent.toLowerCase(),
      marks: (element.dataset.m ? [element] : all("[data-m]", element)).map((mark) => ({
        mark,
        keys: mark.dataset.m.split(" ").map((key) => key.split(".")),
      })),
    }));
    const parts = all("[data-part]", form);
    const chooser = form.querySelector("[data-choose]");
    const search = form.querySelector("[data-search]");
    const apply = () => {
      const wanted = parts.map((part) => [Number(part.dataset.part), part.value]).filter((pair) => pair[1] !== "");
      const words = search.value.trim().toLowerCase();
      let n = 0;
      for (const item of items) {
        let found = wanted.length === 0;
        for (const { mark, keys } of item.marks) {
          const on = keys.some((key) => wanted.every(([index, value]) => fits(value, key[index])));
          mark.classList.toggle("off", !on);
          found ||= on;
        }
        const chosen = !chooser || chooser.value === "" || chooser.value === item.element.id;
        item.element.hidden = !(found && chosen && item.words.includes(words));
        n += item.element.hidden ? 0 : 1;
      }
      form.querySelector("output").textContent = `${n} of ${items.length}`;
    };
    const step = (by) => {
      const shown = items.map((item) => item.element).filter((element) => !element.hidden);
      const here = shown.indexOf(document.activeElement.closest("[data-item]"));
      const next = shown[here < 0 ? (by > 0 ? 0 : shown.length - 1) : here + by];
      if (next) {
        next.focus({ preventScroll: true });
        next.scrollIntoView({ block: "start" });
      }
    };
    form.hidden = false;
    for (const kind of ["input", "change"]) form.addEventListener(kind, apply); // what drives a browser may send only one of them
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(apply));
    for (const button of all("[data-step]", form)) button.addEventListener("click", () => step(Number(button.dataset.step)));
    apply();
    return { box, form, step };
  };
  const boxes = all("[data-filtered]").map(setUp);

  document.addEventListener("keydown", (event) => {
    const by = { j: 1, k: -1 }[event.key];
    if (!by || event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select")) return;
    const shown = boxes.find(({ box, form }) => form.querySelector("[data-step]") && !box.closest("[hidden]"));
    if (shown) shown.step(by);
  });

  // A link may lead to what is filtered away, or into another evaluation.
  const reveal = () => {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const evaluation = target.closest("[data-evaluation]");
    if (evaluation && evaluation.hidden) choose(evaluation.dataset.evaluation);
    const owner = target.hidden && boxes.find(({ box }) => box.contains(target));
    if (owner) {
      owner.form.reset();
      setTimeout(() => target.scrollIntoView());
    } else {
      target.scrollIntoView();
    }
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
