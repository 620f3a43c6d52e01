/// The script for a page's interactive features. All figures are visible without it, and it fetches nothing.
enum PageScript {
    static let javascript = #"""
        "use strict";
        // A line chart tells its numbers where it is pointed at.
        for (const figure of document.querySelectorAll("figure.chart")) {
          const data = JSON.parse(figure.dataset.chart), area = figure.querySelector(".area"), tip = area.querySelector(".tip"), cross = area.querySelector(".cross");
          const places = [...new Set(data.series.flatMap(s => s.points.map(p => p[0])))].sort((a, b) => a - b);
          area.addEventListener("pointerleave", () => { tip.hidden = cross.hidden = true; });
          area.addEventListener("pointermove", event => {
            const box = area.getBoundingClientRect(), share = (event.clientX - box.left) / box.width, wanted = data.x[0] + share * (data.x[1] - data.x[0]);
            const x = places.reduce((best, p) => Math.abs(p - wanted) < Math.abs(best - wanted) ? p : best);
            const lines = data.series.flatMap(s => { const p = s.points.find(p => p[0] === x); return p ? [s.name + ": " + p[1].toFixed(data.digits)] : []; });
            tip.replaceChildren(...[data.title + " " + +x.toFixed(2), ...lines].map(text => { const div = document.createElement("div"); div.textContent = text; return div; }));
            const left = (x - data.x[0]) / (data.x[1] - data.x[0]) * box.width;
            tip.hidden = cross.hidden = false;
            cross.style.left = left + "px";
            tip.style.top = "4px";
            tip.style.left = Math.max(0, Math.min(box.width - tip.offsetWidth, left + (left > box.width / 2 ? -tip.offsetWidth - 8 : 8))) + "px";
          });
        }
        // A map shows the picture of the sample that is pointed at, or that the arrow keys have come to.
        for (const figure of document.querySelectorAll("figure.map")) {
          const area = figure.querySelector(".area"), tip = area.querySelector(".tip"), marks = [...area.querySelectorAll("path")];
          const shown = () => marks.filter(mark => !mark.classList.contains("off"));
          let here = null;
          const centre = mark => { const box = mark.getBoundingClientRect(), own = area.getBoundingClientRect(); return [box.left + box.width / 2 - own.left, box.top + box.height / 2 - own.top]; };
          const leave = () => { if (here) here.classList.remove("here"); here = null; tip.hidden = true; };
          const show = mark => {
            leave();
            here = mark;
            mark.classList.add("here");
            const name = document.createElement("div");
            name.textContent = mark.dataset.name;
            tip.replaceChildren(name);
            if (mark.dataset.picture) { const picture = document.createElement("span"); picture.className = "picture query p" + mark.dataset.picture; tip.prepend(picture); }
            tip.hidden = false;
            const [x, y] = centre(mark);
            tip.style.left = Math.max(0, Math.min(area.clientWidth - tip.offsetWidth, x + (x > area.clientWidth / 2 ? -tip.offsetWidth - 8 : 8))) + "px";
            tip.style.top = Math.max(0, Math.min(area.clientHeight - tip.offsetHeight, y - tip.offsetHeight / 2)) + "px";
          };
          area.addEventListener("pointerleave", leave);
          area.addEventListener("blur", leave);
          area.addEventListener("pointermove", event => {
            const own = area.getBoundingClientRect(), x = event.clientX - own.left, y = event.clientY - own.top;
            let nearest = null, least = 24 * 24;
            for (const mark of shown()) { const [a, b] = centre(mark), d = (a - x) ** 2 + (b - y) ** 2; if (d < least) { least = d; nearest = mark; } }
            if (nearest !== here) nearest ? show(nearest) : leave();
          });
          area.addEventListener("keydown", event => {
            const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], list = shown();
            if (event.key === "Escape") leave();
            if (!step || !list.length) return;
            event.preventDefault();
            const at = list.indexOf(here);
            show(list[at < 0 ? 0 : (at + step + list.length) % list.length]);
          });
        }
        // The legend of the maps shows chosen classes alone.
        for (const group of document.querySelectorAll(".classes")) {
          const buttons = [...group.querySelectorAll("button")];
          group.addEventListener("click", event => {
            const button = event.target.closest("button");
            if (!button) return;
            button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
            const chosen = new Set(buttons.filter(b => b.getAttribute("aria-pressed") === "true").map(b => "k" + b.dataset.class));
            for (const mark of document.querySelectorAll("figure.map path")) mark.classList.toggle("off", chosen.size > 0 && ![...mark.classList].some(name => chosen.has(name)));
          });
        }

        """#
}
