// Marks rows that are kept and sections with a broken rule, and lets the reader hide what is in order.
document.querySelectorAll(".ge-section").forEach((section) => {
  section.querySelectorAll("tbody > tr").forEach((row) => {
    if (row.querySelector("td .fa-check-circle")) row.classList.add("kept");
  });
  const failed = section.querySelector(".fa-times, .fa-exclamation-triangle") !== null;
  section.classList.toggle("has-failed", failed);
  const link = document.querySelector(`.toc a[href="#${section.id}"]`);
  if (link) link.classList.add(failed ? "bad" : "all-kept");
});
const box = document.getElementById("failed-only");
if (box) box.addEventListener("change", () => document.body.classList.toggle("failed-only", box.checked));
