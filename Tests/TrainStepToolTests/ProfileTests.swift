import TestSupport
import Testing

struct ProfileTests {
    /// A row of the table: its name and its numbers, the last of which is its share.
    private struct Row {
        var name: String
        var numbers: [Double]
    }

    /// The paragraphs of the table after its heading: layers, kinds, other parts. The last line is an explanation.
    private func paragraphs(_ error: String) -> [[Row]] {
        let lines = error.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard let heading = lines.firstIndex(where: { $0.hasSuffix("share") }) else { return [] }
        return lines[(heading + 1)...].split(separator: "").map { paragraph in
            paragraph.filter { $0.hasSuffix("%") }.map { line in
                Row(
                    name: line.split(separator: " ").first.map(String.init) ?? "",
                    numbers: line.split(separator: " ").compactMap { Double($0) })
            }
        }
    }

    @Test(arguments: [
        ("train-step --student student taught", ["input", "pixels", "loss", "optimizer", "checkpoint"]),
        ("embed --weights teacher views", ["input", "pixels", "output"]),
    ])
    func `the layers and the other parts are all the time there was`(line: String, parts: [String]) throws {
        let place = try Workplace.training()
        let result = try place.run("\(line) --profile -o out")
        try #require(result.status == 0, "\(result.error)")
        #expect(result.error.contains(": 6 batches, 96 images in "))
        let paragraphs = paragraphs(result.error)
        try #require(paragraphs.count == 3)
        let layers = paragraphs[0], kinds = paragraphs[1], others = paragraphs[2].dropLast()
        #expect(layers.first?.name == "conv1" && layers.contains { $0.name == "layer3.0.conv2" } && layers.last?.name == "fc.2")
        #expect(parts.allSatisfy { part in others.contains { $0.name == part } }, "\(others)")
        let all = try #require(paragraphs[2].last)
        #expect(all.name == "all" && all.numbers.last == 100)
        func share(_ rows: some Sequence<Row>) -> Double { rows.reduce(0) { $0 + ($1.numbers.last ?? 0) } }
        // Each share is rounded to a tenth.
        #expect(abs(share(layers) + share(others) - 100) < 0.05 * Double(layers.count + others.count))
        #expect(abs(share(layers) - share(kinds)) < 0.05 * Double(layers.count + kinds.count))
    }

    @Test func `a convolution has its rate for each way, and one that reads the images has no gradient for them`() throws {
        let place = try Workplace.training()
        let rows = paragraphs(try place.run("train-step --student student taught --profile -o out").error).first ?? []
        func numbers(_ name: String) throws -> [Double] { try #require(rows.first { $0.name == name }).numbers }
        // Milliseconds and GFLOP/s of each pass, and the share; the kind of a stem is one word.
        #expect(try numbers("layer1.0.conv1").count == 7)
        #expect(try numbers("conv1").count == 5)
        #expect(try numbers("layer1.0.conv1").allSatisfy { $0 > 0 })
    }

    @Test func `a profile changes no byte of the output`() throws {
        let place = try Workplace.training()
        for (name, option) in [("a", ""), ("b", "--profile")] {
            let result = try place.run("""
                embed --weights teacher views \(option) -q -o taught.\(name); train-step --student student taught.a \(option) -q -o \(name)
                """)
            try #require(result.status == 0)
            #expect(result.error.contains("GFLOP/s") == !option.isEmpty)
        }
        #expect(try place.bytes("a") == place.bytes("b"))
        #expect(try place.bytes("taught.a") == place.bytes("taught.b"))
    }
}
