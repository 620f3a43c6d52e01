import Foundation
import TensorStreams
import TestSupport
import Testing

/// Fractions of the labels, lists of images, and their paths.
struct LabelsTests {
    @Test func `a share takes as many of each class, at least one, and a smaller one is a part of a larger one`() throws {
        let place = try Workplace(images: 36)
        var before: Set<Int> = []
        for (share, count) in [("0.01", 1), ("0.1", 1), ("0.25", 3), ("0.5", 6), ("1", 12)] {
            let (header, records) = try place.stream("--labels-fraction \(share) --seed 4")
            let (indices, labels) = (try records.indices, try records.labels)
            #expect((0..<3).allSatisfy { label in labels.count { $0 == label } == count } && header.metadata["samples"] == "\(3 * count)", "\(share): \(labels)")
            #expect(before.isSubset(of: indices), "\(share)")
            before = Set(indices)
        }
        let again = try place.stream("--labels-fraction 0.25 --seed 4 --epoch 7 --recipe evaluation").records.indices
        #expect(try again == again.sorted() && Set(again) == Set(place.stream("--labels-fraction 0.25 --seed 4").records.indices))
        #expect(try Set(again) != Set(place.stream("--labels-fraction 0.25 --seed 5").records.indices))
        // The images of the evaluation fold are not among them.
        let half = try place.stream("--labels-fraction 0.5 --fold 1/2").records.indices
        #expect(half.count == 9 && half.allSatisfy { $0 % 2 == 0 })
    }

    @Test func `a list has the number, label, class and path of each image that a stream would be of`() throws {
        let place = try Workplace(images: 12)
        try place.run("cp data/ant/0.jpg data/loose.jpg; cp data/bee/1.jpg 'data/bee/a\\b\tc.jpg'")
        let all = try place.run("augment --data data --list")
        let lines = all.output.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
        #expect(all.status == 0 && all.error.isEmpty && lines.count == 14 && lines.map { $0[0] } == (0..<14).map { "\($0)" })
        #expect(lines.contains(["13", "-1", "", "loose.jpg"]) && lines.contains { $0.suffix(2) == ["bee", #"bee/a\\b\tc.jpg"#] }, "\(all.output)")
        // The numbers and labels match those of a stream.
        let (_, records) = try place.stream("--recipe evaluation --fold 1/2 --limit 4")
        let some = try place.run("augment --data data --list --fold 1/2 --limit 4 -o list.txt; cat list.txt").output.split(separator: "\n").map { $0.split(separator: "\t") }
        #expect(try some.map { Int($0[0]) } == records.indices && some.map { Int($0[1]) } == records.labels)
        #expect(try place.run("augment --data data --list --paths").status == 64)
    }

    @Test func `images without a class are in no share`() throws {
        let place = try Workplace(images: 12)
        try place.run("cp data/ant/0.jpg data/loose.jpg")
        #expect(try place.stream("--labels-fraction 1").records.labels.sorted() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
    }

    @Test func `a list names images by their files or by their paths, from its first line on, and what is not there is told`() throws {
        let place = try Workplace(images: 12)
        try place.write("4.jpg\r\n  bee/7.jpg \n\nn01440764_10183.JPEG", to: "list")
        let result = try place.run("augment --data data --size 16 -o out --recipe evaluation --labels-list list")
        #expect(result.status == 0 && result.error.contains("1 of the listed images is not in the data: 'n01440764_10183.JPEG'"), "\(result.error)")
        #expect(try place.read("out").records.labels == [1, 1])
        try place.run("cp data/bee/7.jpg data/ant/7.jpg")
        let wrong = [
            ("7.jpg", 65, "the list names '7.jpg', which is the name of 2 images, such as data/ant/7.jpg; put the folder before the name: class/name.jpg"),
            ("x.jpg", 64, "has none of the 1 images that the list names, such as 'x.jpg'"), ("\n \n", 65, "list: names no images"),
        ]
        for (text, status, words) in wrong {
            try place.write(text, to: "list")
            let result = try place.run("augment --data data --size 16 -o no --labels-list list")
            #expect(result.status == status && result.error.contains(words) && !place.exists("no"), "\(result.error)")
        }
        try place.write("ant/7.jpg", to: "list")
        #expect(try place.stream("--labels-list list").records.labels == [0])
    }

    @Test func `wrong shares and lists are told`() throws {
        let place = try Workplace(images: 6)
        try place.run("mkdir flat; cp data/*/*.jpg flat")
        let wrong = [
            ("--data data --labels-fraction 0", 64, "--labels-fraction takes a share above 0, up to 1, found 0.0"), ("--data data --labels-fraction nan", 64, "--labels-fraction takes"),
            ("--data data --labels-fraction 1.01", 64, "found 1.01"), ("--data data --labels-fraction 0.1 --labels-list x", 64, "give one of them"),
            ("--data data --labels-list missing", 66, "missing: cannot open it"), ("--data flat --labels-fraction 0.1", 64, "flat: has no classes to take a share of"),
        ]
        for (options, status, words) in wrong {
            let result = try place.run("augment --size 16 -o out \(options)")
            #expect(result.status == status && result.error.contains(words) && !place.exists("out"), "\(options): \(result.error)")
        }
    }

    @Test func `paths are as they are in the data, with zeros behind the shorter ones`() throws {
        let place = try Workplace(images: 12)
        let (_, records) = try place.stream("--paths --batch 5 --threads 2")
        let names = (0..<12).map(place.name).sorted().map { String($0.dropFirst(5)) }
        for record in records {
            let paths = try record.tensor("path", .u8, shape: [nil, nil]), L = paths.shape[1], bytes = paths.withBytes { [UInt8]($0) }
            let found = stride(from: 0, to: bytes.count, by: L).map { String(decoding: bytes[$0..<$0 + L].filter { $0 != 0 }, as: UTF8.self) }
            #expect(try found == [record].indices.map { names[$0] } && L == found.map(\.utf8.count).max())
        }
        #expect(try place.stream("").records.allSatisfy { $0.tensors["path"] == nil })
    }
}
