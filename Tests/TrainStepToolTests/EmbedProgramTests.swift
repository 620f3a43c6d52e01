import TensorStreams
import TestSupport
import Testing

/// A program in place of embed's network.
struct EmbedProgramTests {
    @Test func `a program that gives a network's embeddings is that network`() throws {
        let place = try Workplace.training()
        // As a stream, from images alone, and with all its input passed on.
        let result = try place.run("""
            set -e
            embed --command 'embed --weights teacher -q' views -q -o whole; embed --command 'embed --weights teacher --drop images -q' views -q -o less
            embed --command 'embed --weights teacher -q' --as one --as two --drop images views -q -o named
            cat views | embed --command 'embed --weights teacher -q' -q > piped
            """)
        try #require(result.status == 0 && result.error.isEmpty, "\(result.error)")
        let expected = try place.read("taught")
        for name in ["whole", "less", "piped"] {
            let found = try place.read(name)
            // A program's numbers are unknown, so its command is recorded instead.
            func told(_ header: StreamHeader) -> [String: String] { header.metadata.filter { $0.key != StreamHeader.madeOfKey } }
            #expect(found.records == expected.records && told(found.header) == told(expected.header), "\(name)")
            #expect(found.header.dataSource == expected.header.dataSource && found.header.madeOf?.hasSuffix(expected.header.madeOf ?? "") == false)
        }
        #expect(try place.bytes("whole") == place.bytes("less") || place.read("less").header.provenance.lines.last?.contains("--drop images") == true)
        #expect(try place.read("whole").header.provenance.lines.last == "embed 0.1.0 --command 'embed --weights teacher -q'")
        let named = try place.read("named").records
        for (record, taught) in zip(named, expected.records) {
            #expect(record.names == ["index", "label", "one", "two"] && record.tensors["one"] == taught.tensors["teacher"] && record.tensors["two"] == record.tensors["one"])
        }
        #expect(named.count == 6)
    }

    @Test(arguments: [
        ("true", "the program ended with exit status 0"), ("exit 3", "the program ended with exit status 3"), ("nothere-at-all 2> /dev/null", "the program ended with exit status 127"),
        ("kill -9 $$", "the program was killed by signal 9"), ("head -c 100 > /dev/null", "the program ended with exit status 0"),
        ("exec >&-; cat > /dev/null", "is empty where a tensor stream is expected"), ("yes", "is not a tensor stream"),
        ("cat", "record 0: has no tensor 'teacher'; it has images, index, label"), ("embed --weights teacher -q; exit 9", "gave all answers, but ended with exit status 9"),
        ("cat three; exec >&-; cat > /dev/null", "stopped answering before the last batch"), ("cat more; exec >&-; cat > /dev/null", "gave more answers than it was asked for"),
        ("cat cut; exec >&-; cat > /dev/null", "is cut off"), ("cat swapped; exec >&-; cat > /dev/null", "record 1: has another 'images' than the record that it answers"),
        ("cat blind; exec >&-; cat > /dev/null", "record 1: has another 'index' than the record that it answers; answer each record in turn"),
        ("cat dropped; exec >&-; cat > /dev/null", "record 1: has another 'index' than the record that it answers"), ("cat turned; exec >&-; cat > /dev/null", "record 2: has another 'index'"),
        ("cat unlabelled; exec >&-; cat > /dev/null", "record 2: has no 'label', which must be passed on unchanged; it has images, index, teacher"),
        ("cat narrow; exec >&-; cat > /dev/null", "record 2: has 'teacher' of F32 [16, 15] where F32 [16, 16] is expected"), ("cat short; exec >&-; cat > /dev/null", "record 2: has 'teacher' of F32 [15, 16] where F32 [16, 16] is expected"),
        ("cat double; exec >&-; cat > /dev/null", "record 2: has 'teacher' of F64 [16, 16] where F32 [16, 16] is expected"), ("cat nan; exec >&-; cat > /dev/null", "record 2: has a number that is not finite in row 0 of 'teacher'"),
        ("cat long; exec >&-; cat > /dev/null", "record 2: has row 0 of 'teacher' of length 4.00 where 1 is expected; divide each row by its length"),
    ])
    func `a teacher that fails is told apart, and leaves nothing`(program: String, words: String) throws {
        let place = try Workplace.training()
        let taught = try place.read("taught").records
        let rows = { (value: Float, N: Int, D: Int) in Tensor(f32: [Float](repeating: value, count: N * D), shape: [N, D]) }
        func answers(_ name: String, _ records: [TensorDocument]) throws {
            let writer = try StreamWriter(place.path(name), header: StreamHeader())
            for record in records { try writer.write(record) }
            try writer.commit()
        }
        func changed(_ name: String, _ change: (inout TensorDocument) throws -> Void) throws {
            var records = taught
            try change(&records[2])
            try answers(name, records)
        }
        try answers("three", Array(taught.prefix(3)))
        try answers("more", taught + [taught[0]])
        try answers("swapped", [taught[0], taught[2], taught[1]] + taught[3...])
        try answers("blind", ([taught[0], taught[2], taught[1]] + taught[3...]).map { TensorDocument(metadata: $0.metadata, tensors: $0.tensors.filter { $0.key != "images" }) })
        try answers("dropped", ([taught[0]] + taught[2...]).map { TensorDocument(tensors: $0.tensors.filter { $0.key != "images" }) })
        try changed("turned") { record in
            record.tensors["images"] = nil
            record.tensors["index"] = try Tensor(i64: record.tensor("index", .i64, shape: [16]).integers().reversed().map { Int64($0) }, shape: [16])
        }
        try changed("unlabelled") { $0.tensors["label"] = nil }
        try changed("narrow") { $0.tensors["teacher"] = rows(0.258198, 16, 15) }
        try changed("short") { $0.tensors["teacher"] = rows(0.25, 15, 16) }
        try changed("double") { $0.tensors["teacher"] = Tensor(f64: [Double](repeating: 0.25, count: 256), shape: [16, 16]) }
        try changed("nan") { $0.tensors["teacher"] = rows(.nan, 16, 16) }
        try changed("long") { $0.tensors["teacher"] = rows(1, 16, 16) }
        try place.write(try place.bytes("three").prefix(try place.bytes("three").count / 2), to: "cut")
        try place.expectFailure("embed views -q -o out --command '\(program)'", 65, "embed: --command '\(program)': ", words)
    }

    @Test func `a program that hangs is stopped, and so is what it has started`() throws {
        let place = try Workplace.training()
        try place.expectFailure("embed views -q -o out --command-timeout 0.5 --command 'sleep 1234 & wait'", 74, "gave no answer for ", "the limit of --command-timeout (of make distill TEACHER_TIMEOUT), and was stopped; run it by hand")
        #expect(try place.run("! grep -lsaF HOME=$PWD /proc/[0-9]*/environ | while read f; do tr '\\0' ' ' < ${f%environ}cmdline; echo; done | grep 'sleep 1234'").status == 0)
    }

    @Test func `what goes with a network does not go with a program`() throws {
        let place = try Workplace()
        for (options, words) in [
            ("-q", "say what embeds: --weights names a network, --command a program"), ("--command ' '", "--command is empty"),
            ("--command x --weights w", "--weights goes with a network, and --command names a program"), ("--command x --features", "--features goes with a network"),
            ("--command x --view 1", "--view goes with a network"), ("--weights w --command-timeout 3", "--command-timeout goes with --command"), ("--command x --network resnet18", "--network goes with a network"), ("--command x --profile", "--profile goes with a network"),
            ("--command x --command-timeout 0", "--command-timeout takes 0.01 to"),
        ] {
            let result = try place.run("embed v -o o \(options)")
            #expect(result.status == 64 && result.error.contains(words) && result.lines.count == 1, "\(options): \(result.error)")
        }
    }
}
