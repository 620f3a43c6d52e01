import Images
import Pages
import Testing

struct PagesTests {
    @Test func `what anybody has named is escaped, in text and in attributes, and control characters are shown`() {
        let name = "</b>&\"'\u{1B}[31m\u{202E}", html: HTML = "<td title=\"\(name)\">\(name)</td>"
        let escaped = "&lt;/b&gt;&amp;&quot;&#39;"
        #expect(html.text.hasPrefix("<td title=\"\(escaped)") && html.text.contains(">\(escaped)"))
        #expect(html.text.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value != 0x202E })
        let piece: HTML = "<i>\(3)</i>\(2.345, 2)"
        #expect(("<b>\(piece)</b>" as HTML).text == "<b><i>3</i>2.35</b>" || ("<b>\(piece)</b>" as HTML).text == "<b><i>3</i>2.34</b>")
    }

    /// RFC 4648, section 10.
    @Test(arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy")])
    func `Base64 is the standard's`(_ text: String, _ encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.encode([0xFB, 0xFF, 0xFE]) == "+//+")
    }

    @Test func `axes end at round numbers, and name them with as many digits as they need`() {
        func names(_ values: [Double], ticks: Int = 5, isCount: Bool = false) -> [String] {
            let axis = Axis(values, ticks: ticks, isCount: isCount)
            return axis.ticks.map { axis.name($0) }
        }
        #expect(names([0, 10]) == ["0", "2", "4", "6", "8", "10"])
        #expect(names([0.013, 0.118]) == ["0.000", "0.025", "0.050", "0.075", "0.100", "0.125"])
        #expect(names([1, 60], ticks: 6, isCount: true) == ["0", "10", "20", "30", "40", "50", "60"])
        #expect(names([1, 2], ticks: 6, isCount: true) == ["1", "2"])
        #expect(names([-3e-5, 4e-5]).count > 3)
        for values in [[5.0, 5], [0], [], [.nan, .infinity], [-1e300, 1e300], [1e-300, 2e-300], [3e15, 5e15], [-1e300, -1e200], [.leastNonzeroMagnitude, 2 * .leastNonzeroMagnitude], [0, 0]] as [[Double]] {
            for isCount in [false, true] {
                let axis = Axis(values, isCount: isCount)
                #expect(axis.upper > axis.lower && axis.ticks.count < 50 && axis.ticks.allSatisfy(\.isFinite), "\(values)")
                #expect((0...1).contains(axis.share(values.first ?? 0)) || values.first?.isNaN == true, "\(values)")
            }
        }
    }

    @Test func `a chart has its lines, its numbers and its summary; what is no number is left out, and nothing is no chart`() {
        let chart = LineChart("loss", [
            .init("loss", [(1, 4.5), (2, .nan), (3, 2.25)]), .init("floor", [(1, 2), (3, 2)], isReference: true), .init("none", []), .init("one", [(2, 3)]),
        ], digits: 2)
        let text = chart.html.text
        #expect(chart.series.map(\.name) == ["loss", "floor", "one"] && text.components("<polyline") == 3 && text.components("class=\"line reference\"") == 1)
        #expect(text.contains("aria-label=\"loss: loss from 4.50 to 2.25; floor from 2.00 to 2.00; one from 3.00 to 3.00\""))
        #expect(text.contains("<tr><th scope=\"row\">2</th><td>–</td><td>–</td><td>3.00</td></tr>") && !text.contains("nan"))
        #expect(LineChart("x", []).html == "" && LineChart("x", [.init("a", [])]).html == "")
        let long = LineChart("x", [.init("a", (1...25_000).map { (Double($0), Double($0 * $0)) })])
        #expect(long.series[0].points.count <= 301 && long.series[0].points.last?.x == 25_000)
    }

    @Test func `a map has a mark for each sample, whatever its coordinates, and classes differ by colour or shape`() {
        let places = [(0.0, 0.0), (1, 2), (-5, 1e12), (0, 0)].enumerated().map { MapFigure.Place(x: $1.0, y: $1.1, label: $0, picture: $0 == 1 ? 7 : nil, name: "a<\($0)") }
        let text = MapFigure("teacher", places).html.text
        #expect(text.components("<path class=\"k") == 4 && text.components("data-picture=\"7\"") == 1 && text.contains("data-name=\"a&lt;2\"") && !text.contains("nan"))
        #expect(MapFigure("one", [places[0]]).html.text.components("<path") == 1 && MapFigure("none", []).html == "")
        let looks = Set((0..<32).map { "\(Palette.colour($0)) \(Palette.shape($0))" })
        #expect(looks.count == 32 && Palette.shape(1000) != "" && Palette.path(9, 10, 10, 3) == "M7.5 7.5H12.6V12.6H7.5Z")
    }

    @Test func `of many classes the worst are shown, and pairs in place of a matrix that nobody could read`() {
        func figure(_ count: Int) -> ConfusionFigure {
            ConfusionFigure(
                "k=10", classes: (0..<count).map { "class \($0)" }, samples: (0..<count).map { $0 == 1 ? 0 : 10 }, correct: (0..<count).map { $0 == 1 ? 0 : 10 - $0 % 4 },
                confusions: [(2, 0, 2), (3, 1, 3)], teacher: [Double?](repeating: 0.5, count: count))
        }
        let few = figure(5)
        #expect(few.order == [3, 2, 0, 4] && few.share(1) == nil && few.matrix.text.components("<td class=\"wrong") == 2)
        #expect(few.bars.text.components("<tr>") == 1 + 4 && few.bars.text.contains("<td>70.0 %</td><td>7 of 10</td><td>50.0 %</td>"))
        let many = figure(500)
        #expect(many.matrix.text.components("<tr>") == 3 && many.bars.text.contains("And 439 better classes."))
    }

    @Test func `pictures are in a page once, up to the room that there is, and a page fetches nothing`() throws {
        var book = PictureBook(room: 6000)
        let grey = Image(width: 8, height: 8, pixels: [UInt8](repeating: 100, count: 8 * 8 * 3))
        var made = 0
        for name in ["a", "b", "a"] { _ = try book.add(name) { made += 1; return grey } }
        #expect(try made == 2 && book.add("b") { nil } == 1 && book.add("gone") { nil } == nil)
        while try book.add("\(made)", { made += 1; return grey }) != nil {}
        #expect(made < 20)
        var page = Page("<run>")
        page.add("empty", "Nothing", "")
        page.add("one", "One & only", "<p>here</p>")
        let text = page.html(book).text
        #expect(text == page.html(book).text && text.utf8.count < 30_000 && text.contains("<title>&lt;run&gt;</title>") && !text.contains("id=\"empty\""))
        for link in ["http:", "https:", "src=", "@import", "url(http", "<link"] { #expect(!text.contains(link), "\(link)") }
        #expect(PictureBook.html(nil, "x").text.contains("none") && PictureBook.html(1, "x").text.contains("p1 "))
    }
}

extension String {
    /// How often `part` occurs.
    fileprivate func components(_ part: String) -> Int { ranges(of: part).count }
}
