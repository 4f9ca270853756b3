// A press on a column's head sorts the rows by it, a second press the other way round; what is missing comes last.
(() => {
  "use strict";
  const table = document.getElementById("clips");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const order = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const compare = (a, b) => {
    const numbers = [a, b].map(Number);
    return numbers.some(Number.isNaN) ? order.compare(a, b) : numbers[0] - numbers[1];
  };
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const way = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    heads.forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
    const value = (row) => row.cells[column].dataset.by;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === "" || y === "") return (x === "") - (y === "");
      return way * compare(x, y);
    });
    body.append(...rows);
  }));
})();
