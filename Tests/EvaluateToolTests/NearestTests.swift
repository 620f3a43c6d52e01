import Foundation
import TensorStreams
import TestSupport
import Testing

/// The nearest neighbours of given images.
struct NearestTests {
    /// Points of the plane at these angles in degrees, with different lengths, numbered 10, 11 ….
    private func write(_ name: String, _ angles: [Double], in place: Workplace) throws {
        let writer = try StreamWriter(place.path(name), header: StreamHeader()), values = angles.enumerated().flatMap { n, angle in
            [cos(angle * .pi / 180), sin(angle * .pi / 180)].map { Float($0) * Float(n + 1) }
        }
        try writer.write(TensorDocument(tensors: ["features": Tensor(f32: values, shape: [angles.count, 2]), "index": Tensor(i64: angles.indices.map { Int64($0 + 10) }, shape: [angles.count])]))
        try writer.commit()
    }

    private func lists(_ json: JSON) -> [String] {
        (json["images"]?.asArray ?? []).map { image in
            "\(image["image"]?.asInteger ?? -1):" + (image["neighbours"]?.asArray ?? []).map { " \($0["image"]?.asInteger ?? -1)" }.joined()
        }
    }

    @Test func `they are the nearest by angle, none is its own, and pairs of near-duplicates are told once`() throws {
        let place = try Workplace()
        try write("own", [0, 40, 1, 200, 90, 41], in: place)
        try write("others", [39, 205, 0.5], in: place)
        func found(_ arguments: String) throws -> JSON { try JSON(parsing: place.run("evaluate neighbours \(arguments) -q -o -").output) }
        #expect(try lists(found("own --k 2")) == ["10: 12 11", "11: 15 12", "12: 10 11", "13: 14 15", "14: 15 11", "15: 11 12"])
        #expect(try lists(found("own --in others --k 1 --images 15,13")) == ["13: 11", "15: 10"])
        #expect(try lists(found("own --above 0.99")) == ["10: 12", "11: 15"])
        #expect(try lists(found("own --above 0.99 --images 15")) == ["15: 11"])
        #expect(try lists(found("own --above 0.65 --k 1")) == ["10: 12", "11: 15", "14: 15"])
        #expect(try place.run("evaluate neighbours own --above 0.65 --k 1").error.contains("images have 1 others this near, and perhaps more"))
        #expect(try lists(found("own --in others --above 0.995")) == ["10: 12", "11: 10", "12: 12", "13: 11", "15: 10"])
        let similarity = try found("own --in others --k 1 --images 13")["images"]?.asArray?.first?["neighbours"]?.asArray?.first?["similarity"]?.asNumber ?? 0
        #expect(abs(similarity - cos(5 * Double.pi / 180)) < 1e-6)
        for threads in [1, 3] { try place.perform("evaluate neighbours own --k 3 --threads \(threads) -q -o \(threads).json") }
        #expect(try place.bytes("1.json") == place.bytes("3.json"))
    }

    @Test func `images are named by what augment lists of them`() throws {
        let place = try Workplace()
        try place.perform("""
            synthesize -o pictures --classes 3 --train 12 --test 6 --size 16 --seed 2 -q; initialize --network tiny-resnet10 --embedding 8 -q -o n.safetensors
            for part in train test; do
              augment --data pictures/$part --list > $part.list
              augment --data pictures/$part --recipe evaluation --size 16 -q | embed --weights n.safetensors --features --drop images -q -o $part
            done
            """)
        let result = try place.run("evaluate neighbours test --in train --k 2 --images 4 --names test.list --in-names train.list -q")
        let names = try ["test", "train"].map { part in try place.text("\(part).list").split(separator: "\n").map { String($0.split(separator: "\t")[3]) } }
        #expect(result.status == 0 && result.output.hasPrefix("\(names[0][4]): ") && names[1].contains { result.output.contains(": \($0) ") }, "\(result.output)\(result.error)")
        #expect(try JSON(parsing: place.run("evaluate neighbours test --names test.list --k 1 -q -o -").output)["images"]?.asArray?[4]["name"]?.asString == names[0][4])
    }

    @Test(arguments: [
        ("own --images 9", 65, "own: has no image 9; augment --list"), ("own --images x", 64, "--images"), ("own --k 0", 64, "--k"), ("own --above 1.5", 64, "--above"),
        ("own --in wide", 65, "wide: has features of 3 numbers, but the others have 2"), ("own --in-names own", 64, "--in-names is used only with --in"),
        ("own --names own", 65, "is not a line of augment --list"), ("missing", 66, "missing"),
    ])
    func `what cannot be told is said`(_ arguments: String, _ status: Int32, _ words: String) throws {
        let place = try Workplace()
        try write("own", [0, 40], in: place)
        let writer = try StreamWriter(place.path("wide"), header: StreamHeader())
        try writer.write(TensorDocument(tensors: ["features": Tensor(f32: [1, 2, 3], shape: [1, 3])]))
        try writer.commit()
        let result = try place.run("evaluate neighbours \(arguments)")
        #expect(result.status == status && result.error.contains(words), "\(result.error)")
    }

    @Test func `a sheet shows them, of the images that the features came from and no others`() throws {
        let place = try Workplace()
        try place.perform("""
            synthesize -o pictures --classes 3 --train 12 --test 6 --size 16 --seed 2 -q; initialize --network tiny-resnet10 --embedding 8 -q -o n.safetensors
            for part in train test; do augment --data pictures/$part --recipe evaluation --size 16 -q | embed --weights n.safetensors --features --drop images -q -o $part; done
            """)
        let line = "evaluate neighbours test --in train --k 2 -q"
        for name in ["a.png", "b.png", "a.jpg"] { try place.perform("\(line) --images 4,1 --data pictures/test --in-data pictures/train --sheet \(name) > text") }
        let sheet = try place.bytes("a.png")
        // Two rows of three images of 112 pixels, each with two lines of text below.
        func number(at place: Int) -> Int { sheet[place..<place + 4].reduce(0) { $0 << 8 | Int($1) } }
        #expect(sheet.prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]) && number(at: 16) == 4 + 3 * 116 && (250...290).contains(number(at: 20)), "\(number(at: 16)) \(number(at: 20))")
        #expect(try place.bytes("b.png") == sheet && place.bytes("a.jpg").prefix(2) == Data([0xFF, 0xD8]))
        try place.perform("\(line) --data pictures/test --in-data pictures/train --sheet few.png --sheet-rows 1 > text")
        #expect(try place.bytes("few.png").count < sheet.count)
        let none = try place.run("\(line) --above 1 --data pictures/test --in-data pictures/train --sheet none.png -o none.json")
        #expect(none.status == 0 && none.error.contains("no sheet is written") && place.exists("none.json") && !place.exists("none.png"), "\(none.error)")
        for (options, status, words) in [
            ("--sheet s.png", 64, "--sheet needs the images; give --data"), ("--sheet s.png --data pictures/test", 64, "give --in-data"), ("--data pictures/test", 64, "--data is used only with --sheet"),
            ("--sheet s.png --data pictures/train --in-data pictures/train", 65, "pictures/train: is not the data that the features in test were made from"),
            ("--sheet s.png --data nowhere --in-data pictures/train", 66, "nowhere"), ("--sheet s.png --data pictures/test --in-data pictures/train --sheet-rows 0", 64, "--sheet-rows takes 1 to 1000"),
        ] as [(String, Int32, String)] {
            let result = try place.run("\(line) \(options)")
            #expect(result.status == status && result.error.contains(words) && !place.exists("s.png"), "\(options): \(result.error)")
        }
    }
}
