// Draws the charts, and makes tables sort and filter. The page can be read without it.
(function () {
  "use strict";

  var root = document.documentElement;
  var dark = window.matchMedia("(prefers-color-scheme: dark)");
  var charts = [];

  function isDark() {
    var chosen = root.getAttribute("data-theme");
    return chosen ? chosen === "dark" : dark.matches;
  }

  // Told apart in both schemes and by eyes that see few colours (after Okabe and Ito).
  var LIGHT = ["#1f5fbf", "#d55e00", "#00805f", "#b0578d", "#8a6d00", "#3a93c4", "#7a4fb5", "#6b7480"];
  var DARK = ["#7db0ff", "#ff9e5e", "#4fd1ac", "#f29bc9", "#e8c547", "#8fd3f4", "#bda1f2", "#a7b0bc"];

  function colour(name) {
    return getComputedStyle(root).getPropertyValue(name).trim();
  }

  function short(value, share) {
    if (share) {
      return (value * 100).toLocaleString("en", { maximumFractionDigits: 1 }) + " %";
    }
    return value.toLocaleString("en", { notation: "compact", maximumFractionDigits: 1 });
  }

  function full(value, share) {
    return share ? short(value, true) : value.toLocaleString("en", { maximumFractionDigits: 2 });
  }

  // A long name would leave no room for its bar; the table has it whole.
  function label(text, width) {
    var letters = Array.from(text);
    return letters.length > width ? letters.slice(0, width - 1).join("") + "\u2026" : text;
  }

  function settings(chart) {
    var lying = chart.kind === "bars";
    var stacked = chart.kind === "stack";
    var line = chart.kind === "lines";
    var palette = isDark() ? DARK : LIGHT;
    var grid = colour("--line");
    var names = {
      stacked: stacked,
      grid: { display: false },
      border: { color: grid },
      ticks: {
        color: colour("--soft"),
        autoSkip: !lying,
        callback: function (value) {
          return label(String(this.getLabelForValue(value)), window.innerWidth < 600 ? 16 : 26);
        }
      }
    };
    var values = {
      stacked: stacked,
      beginAtZero: true,
      grid: { color: grid },
      border: { display: false },
      ticks: {
        color: colour("--soft"),
        maxTicksLimit: 6,
        callback: function (value) { return short(value, chart.share); }
      }
    };
    return {
      type: line ? "line" : "bar",
      data: {
        labels: chart.labels,
        datasets: chart.series.map(function (series, index) {
          var shade = palette[index % palette.length];
          return {
            label: series.name,
            data: series.values,
            backgroundColor: shade,
            borderColor: shade,
            borderWidth: line ? 2 : 0,
            borderRadius: stacked ? 0 : 3,
            maxBarThickness: 34,
            pointRadius: 2,
            tension: 0.2
          };
        })
      },
      options: {
        animation: false,
        responsive: true,
        maintainAspectRatio: false,
        indexAxis: lying ? "y" : "x",
        interaction: { mode: "index", axis: lying ? "y" : "x", intersect: false },
        scales: lying ? { x: values, y: names } : { x: names, y: values },
        plugins: {
          legend: {
            display: chart.series.length > 1,
            position: "bottom",
            labels: { color: colour("--ink"), boxWidth: 12, boxHeight: 12 }
          },
          tooltip: {
            callbacks: {
              label: function (item) {
                return item.dataset.label + ": " + full(item.raw, chart.share);
              }
            }
          }
        }
      }
    };
  }

  function draw() {
    if (!window.Chart) {
      return;
    }
    var data = JSON.parse(document.getElementById("data").textContent);
    charts.forEach(function (chart) { chart.destroy(); });
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    charts = Array.from(document.querySelectorAll("canvas[data-chart]"), function (canvas) {
      return new Chart(canvas, settings(data[Number(canvas.dataset.chart)]));
    });
  }

  function theme() {
    var button = document.getElementById("theme");
    function name() {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", "Switch to " + (isDark() ? "light" : "dark") + " colours");
    }
    button.hidden = false;
    button.addEventListener("click", function () {
      root.setAttribute("data-theme", isDark() ? "light" : "dark");
      name();
      draw();
    });
    dark.addEventListener("change", function () { name(); draw(); });
    name();
  }

  // Numbers of any length are compared as text, digit by digit: a float would take some for equal.
  function compareNumbers(a, b) {
    var negative = a[0] === "-";
    if (negative !== (b[0] === "-")) {
      return negative ? -1 : 1;
    }
    var one = (negative ? a.slice(1) : a).split(".");
    var two = (negative ? b.slice(1) : b).split(".");
    var whole = one[0].length - two[0].length || (one[0] < two[0] ? -1 : one[0] > two[0] ? 1 : 0);
    var length = Math.max((one[1] || "").length, (two[1] || "").length);
    var left = (one[1] || "").padEnd(length, "0");
    var right = (two[1] || "").padEnd(length, "0");
    var order = whole || (left < right ? -1 : left > right ? 1 : 0);
    return negative ? -order : order;
  }

  var texts = new Intl.Collator("en", { numeric: true });

  function sort(body, column, descending) {
    var rows = Array.from(body.rows);
    function key(row) {
      var cell = row.cells[column];
      return cell.dataset.value !== undefined ? cell.dataset.value : cell.textContent;
    }
    var numeric = body.closest("table").tHead.rows[0].cells[column].classList.contains("number");
    rows.sort(function (one, two) {
      var a = key(one);
      var b = key(two);
      // What is not there stands last, either way.
      if (a === "" || b === "") {
        return a === b ? 0 : a === "" ? 1 : -1;
      }
      var order = numeric ? compareNumbers(a, b) : texts.compare(a, b);
      return descending ? -order : order;
    });
    body.append.apply(body, rows);
  }

  function table(place) {
    var body = place.querySelector("tbody");
    if (body.querySelector(".none")) {
      return;
    }
    var heads = Array.from(place.querySelectorAll("th"));
    heads.forEach(function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      head.replaceChildren(button);
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", function () {
        var state = head.getAttribute("aria-sort");
        // Amounts are looked at from the largest, names from the first letter.
        var first = head.classList.contains("number") ? "descending" : "ascending";
        var second = first === "ascending" ? "descending" : "ascending";
        var next = state === first ? second : first;
        heads.forEach(function (other) { other.setAttribute("aria-sort", "none"); });
        head.setAttribute("aria-sort", next);
        sort(body, column, next === "descending");
      });
    });
    if (body.rows.length < 6) {
      return;
    }
    var tools = place.querySelector(".tools");
    var input = tools.querySelector("input");
    var shown = tools.querySelector(".shown");
    tools.hidden = false;
    input.addEventListener("input", function () {
      var words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      var count = 0;
      Array.from(body.rows).forEach(function (row) {
        var text = row.textContent.toLowerCase();
        row.hidden = !words.every(function (word) { return text.includes(word); });
        count += row.hidden ? 0 : 1;
      });
      shown.textContent = words.length ? count + " of " + body.rows.length + " rows" : "";
    });
  }

  document.querySelectorAll("[data-table]").forEach(table);
  theme();
  draw();
  // On paper the page is light, whatever the screen is.
  var before = null;
  window.addEventListener("beforeprint", function () {
    before = root.getAttribute("data-theme");
    root.setAttribute("data-theme", "light");
    draw();
  });
  window.addEventListener("afterprint", function () {
    if (before) {
      root.setAttribute("data-theme", before);
    } else {
      root.removeAttribute("data-theme");
    }
    draw();
  });
})();
