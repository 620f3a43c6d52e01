import Foundation
import Testing
import TestSupport
import ToolSupport

/// Text that reaches a terminal is printable.
struct PrintableTests {
    @Test(arguments: [
        ("plain 'text'\\", "plain 'text'\\"), ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"), ("\u{1B}]0;x\u{7}", "\\u{1b}]0;x\\u{7}"), ("\u{9B}31m", "\\u{9b}31m"),
        ("a\u{202E}b\u{2066}", "a\\u{202e}b\\u{2066}"), ("a\u{200B}\u{200D}\u{FEFF}\u{AD}", "a\\u{200b}\\u{200d}\\u{feff}\\u{ad}"), ("\u{2028}\u{2029}\u{85}", "\\u{2028}\\u{2029}\\u{85}"),
        ("\u{3164}\u{FE0F}\u{E0041}\u{F0000}\u{E000}", "\\u{3164}\\u{fe0f}\\u{e0041}\\u{f0000}\\u{e000}"), ("é漢字Ж😀 ", "é漢字Ж😀 "), ("\u{7F}", "\\u{7f}"),
    ]) func `what would act on a terminal or not be seen is written by its number`(text: String, shown: String) {
        #expect(text.printable == shown)
    }

    @Test func `a line that is too long keeps its beginning and its end`() {
        let line = (String(repeating: "a", count: 5000) + "; do that").printableLine(limit: 300)
        #expect(line.count == 300 && line.hasPrefix("aaa") && line.contains(" … ") && line.hasSuffix("; do that"))
        #expect(String(repeating: "\n", count: 5000).printableLine(limit: 300).count == 300)
    }

    @Test func `lists name three, count the rest and say what all begin with`() {
        #expect(listed(["a"]) == "'a'" && listed(["a", "b", "c", "d"]) == "'a', 'b', 'c', 'd'")
        #expect(listed(["a", "b", "c", "d", "e"]) == "'a', 'b', 'c' and 2 more")
        #expect(listed((0..<9).map { "m.e.\($0)" }) == "'m.e.0', 'm.e.1', 'm.e.2' and 6 more (all begin with 'm.e.')")
        #expect(commonBeginning(["module.ab", "module.ac"]) == "module." && commonBeginning(["x"]) == "" && commonBeginning([String]()) == "")
    }

    /// Hostile names: a title sequence, colours, line breaks, C1 controls, direction marks, zero width, invalid UTF-8,
    /// and too long.
    static let names = [
        #"$'\e]0;title\a'"#, #"$'\e[31mred'"#, #"$'two\nlines\r'"#, #"$'\u009b31m'"#, #"$'\xc2\x9b2J'"#, #"$'a\u202eb\u2066'"#, #"$'z\u200b\u200d\ufeff'"#, #"$'\xff\xfe\e'"#,
        #"$'\x7f\b\b'"#, #""$(printf 'x%.0s' {1..3000})""#, #"$'\u2028'"#,
    ]

    /// Every place in every tool's messages where such a name may appear.
    static let lines = [
        "augment --data NAME", "augment --data s/train --recipe NAME", "augment --data s/train --size NAME", "augment --data s/train -o /nowhere/NAME", "augment NAME",
        "embed --weights NAME v", "embed --weights w NAME", "embed --weights w --network NAME v", "embed --weights w v -o /nowhere/NAME", "embed --NAME",
        "embed --weights w v -o o --timing /nowhere/NAME", "train-step --student NAME v -o o", "train-step --student w NAME -o o", "train-step --student w v -o o --log /nowhere/NAME",
        "train-step --student w v -o /nowhere/NAME", "queue-loss NAME", "queue-loss v --queue NAME", "queue-loss v --objective NAME", "inspect NAME", "inspect v --tensor NAME",
        "inspect v --to-npy /nowhere/NAME", "inspect v --records NAME", "convert-weights NAME -o o", "convert-weights w -o /nowhere/NAME", "convert-weights w --network NAME -o o",
        "initialize --network NAME -o o", "initialize --network tiny-resnet10 -o /nowhere/NAME", "evaluate knn --train NAME --test v", "evaluate knn --train v --test v --tensor NAME",
        "evaluate linear --train v --test NAME", "evaluate linear --train v --test v --solver NAME", "evaluate NAME", "synthesize -o /nowhere/NAME", "synthesize --sheet /nowhere/NAME",
        "embed @NAME",
    ]

    @Test func `no name in a message acts on the terminal, in any tool`() throws {
        let place = try Workplace()
        let made = try place.run("""
            synthesize -o s --train 16 --test 4 --classes 2 --size 16 --shards 1 -q; augment --data s/train --size 16 --batch 8 -q -o v; initialize --network tiny-resnet10 -q -o w
            """)
        try #require(made.status == 0)
        for line in PrintableTests.lines {
            let calls = PrintableTests.names.map { name in line.split(separator: "NAME", omittingEmptySubsequences: false).joined(separator: name) + " > /dev/null; echo \"status $?\" >&2" }
            let text = try place.run("export LC_ALL=C.UTF-8; " + calls.joined(separator: "\n")).error
            let lines = text.split(separator: "\n")
            #expect(lines.count == 2 * calls.count, "\(line): \(text.debugDescription.prefix(2000))")
            for found in lines {
                #expect(found.unicodeScalars.allSatisfy(\.isPrintable) && found.count <= 520, "\(line): \(found.debugDescription)")
                if found.hasPrefix("status") { #expect(["status 64", "status 65", "status 66", "status 73"].contains(found), "\(line): \(text.prefix(500))") }
            }
        }
    }
}
