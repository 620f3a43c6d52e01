import Foundation
import TensorStreams
import TestSupport
import Testing

private let browser = ["chromium", "chromium-browser", "google-chrome"].lazy.flatMap { name in ["/usr/bin/", "/usr/local/bin/"].map { $0 + name } }
    .first { FileManager.default.isExecutableFile(atPath: $0) }

/// The page in headless Chromium, if it is installed: at desktop and phone width, light and dark.
@Suite(.enabled(if: browser != nil, "there is no Chromium")) struct BrowserTests {
    /// A script after the page's own: acts as a user would and leaves its observations as JSON in the page.
    private static let probe = #"""
        <script>
        addEventListener("load", () => {
          const seen = { errors: window.seenErrors || [] }, all = selector => [...document.querySelectorAll(selector)], box = e => e.getBoundingClientRect();
          const visible = e => { const b = box(e); return b.width > 0 && b.height > 0; };
          seen.figures = all("figure").length;
          seen.undrawn = all("figure").filter(f => getComputedStyle(f.parentElement).display !== "none" && !visible(f.querySelector("svg"))).length;
          seen.lines = all("polyline").filter(l => /nan|undefined/i.test(l.getAttribute("points"))).length;
          seen.overflow = document.documentElement.scrollWidth - document.documentElement.clientWidth;
          seen.small = all("body *").filter(e => e.childElementCount === 0 && e.textContent.trim() && visible(e) && !["SCRIPT", "STYLE"].includes(e.tagName) && parseFloat(getComputedStyle(e).fontSize) < 10).length;
          seen.unreachable = all("button, summary, input, .map .area, nav a").filter(e => e.tabIndex < 0).length;
          seen.unnamed = all("svg[role=img], .picture[role=img], .map .area").filter(e => !e.getAttribute("aria-label")).length;
          const light = c => { const [r, g, b] = c.match(/[\d.]+/g).map(x => { x /= 255; return x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
          const page = light(getComputedStyle(document.body).backgroundColor);
          const contrast = c => { const a = light(c); return (Math.max(a, page) + 0.05) / (Math.min(a, page) + 0.05); };
          seen.contrast = Math.min(...all("p, th, td, figcaption, a, summary, li").filter(visible).map(e => getComputedStyle(e)).filter(s => s.backgroundColor === "rgba(0, 0, 0, 0)").map(s => contrast(s.color)));
          const chart = document.querySelector("figure.chart .area"), middle = box(chart);
          chart.dispatchEvent(new PointerEvent("pointermove", { clientX: middle.left + middle.width / 2, clientY: middle.top + 5 }));
          seen.chartTip = chart.querySelector(".tip").textContent;
          const area = document.querySelector("figure.map .area");
          area.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", cancelable: true }));
          seen.mapTip = area.querySelector(".tip").textContent;
          seen.mapPicture = !!area.querySelector(".tip .picture");
          area.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
          seen.mapClosed = area.querySelector(".tip").hidden;
          const button = document.querySelector(".classes button");
          if (button) { button.click(); seen.off = all("figure.map path.off").length > 0 && all("figure.map path:not(.off)").length > 0; button.click(); seen.on = all("figure.map path.off").length === 0; }
          document.querySelector("#by-components").click();
          seen.switched = getComputedStyle(document.querySelector(".grid.components")).display !== "none" && getComputedStyle(document.querySelector(".grid.neighbours")).display === "none";
          const out = document.createElement("pre");
          out.id = "seen";
          out.textContent = JSON.stringify(seen);
          document.body.append(out);
        });
        </script>
        """#

    @Test func `it draws every figure, fits, can be read, and answers the pointer and the keyboard`() throws {
        let place = try Workplace()
        try place.perform("""
            synthesize -o pictures --classes 9 --train 96 --test 64 --size 24 --seed 3 -q
            make --no-print-directory -C '\(Workplace.root)' distill BUILD=no RUNS=$PWD/runs NAME=a DATA=$PWD/pictures/train TEST=$PWD/pictures/test SIZE=16 EMBEDDING=16 BATCH=16 QUEUE=32 PROBE=1 \
              STUDENT=tiny-resnet10 EPOCHS=3 TEACHER_NETWORK=tiny-resnet10 TEACHER_OBJECTIVE=supervised-contrastive TEACHER_BATCH=16 TEACHER_EPOCHS=1 > make.log 2>&1
            """)
        let early = "<script>addEventListener('error', e => (window.seenErrors = window.seenErrors || []).push(String(e.message)))</script>"
        let page = try place.text("runs/a/report.html").replacing("<title>", with: early + "<title>").replacing("</body>", with: Self.probe + "</body>")
        try place.write(page, to: "page.html")
        let program = try #require(browser)
        for (width, dark) in [(1280, false), (1280, true), (500, false)] {
            let dumped = try place.run("""
                HOME=$PWD timeout 120 \(program) --headless=new --no-sandbox --disable-gpu --user-data-dir=$PWD/profile --window-size=\(width),900 \(dark ? "--blink-settings=preferredColorScheme=0" : "") \
                  --virtual-time-budget=4000 --enable-logging=stderr --dump-dom file://$PWD/page.html
                """)
            #expect(!dumped.error.contains("CONSOLE"), "\(dumped.error)")
            let text = try #require(dumped.output.firstMatch(of: /<pre id="seen">(.*?)<\/pre>/), "\(dumped.status) \(dumped.error)").1
            let seen = try JSON(parsing: String(text).replacing("&lt;", with: "<").replacing("&gt;", with: ">").replacing("&amp;", with: "&"))
            func number(_ name: String) -> Double? { seen[name]?.asNumber }
            #expect((number("figures") ?? 0) > 8 && seen["errors"]?.asArray?.isEmpty == true, "\(text)")
            for name in ["undrawn", "lines", "overflow", "small", "unreachable", "unnamed"] { #expect(number(name) == 0, "\(width): \(name): \(text)") }
            // WCAG 2.2, 1.4.3.
            #expect((number("contrast") ?? 0) >= 4.5, "\(width), dark \(dark): \(text)")
            #expect(seen["chartTip"]?.asString?.contains("student: ") == true && seen["mapTip"]?.asString?.isEmpty == false && seen["mapPicture"]?.asBool == true, "\(text)")
            for name in ["mapClosed", "off", "on", "switched"] { #expect(seen[name]?.asBool == true, "\(name): \(text)") }
        }
    }
}
