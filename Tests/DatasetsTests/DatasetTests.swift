import CArchive
import Datasets
import Foundation
import TestSupport
import Testing
import ToolSupport

struct DatasetTests {
    let place: Workplace
    init() throws { place = try Workplace() }

    static let names = ["dog/2.jpg", "cat/10.JPEG", "cat/2.jpg", "dog/old/1.jpeg", "ape/\(String(repeating: "long-name-", count: 20)).jpg"]
    var members: [(name: String, bytes: [UInt8]?)] { Self.names.map { ($0, content($0)) } }

    @Test func `a folder, tars of three kinds, five compressions and a zip have the same samples`() throws {
        for member in members { try place.write(member.bytes ?? [], to: "folder/" + member.name) }
        let expected = try contents(Dataset(place.path("folder")))
        #expect(expected.count == 5)
        #expect(Set(expected).count == 5)
        for (name, format) in [("a.tar", Workplace.Format.tar), ("b.tar", .gnutar), ("c.zip", .zip)] {
            try place.pack(members, as: format, into: name)
            #expect(try contents(Dataset(place.path(name))) == expected, "\(name)")
        }
        let filters = [ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_BZIP2, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_LZ4]
        for filter in filters {
            try place.pack(members, compressed: filter, into: "d.tar.any")
            #expect(try contents(Dataset(place.path("d.tar.any"))) == expected, "filter \(filter)")
        }
    }

    @Test func `samples are in the order of their paths, and classes in the order of their names`() throws {
        try place.pack(members, into: "a.tar")
        let data = try Dataset(place.path("a.tar"))
        #expect(data.classes == ["ape", "cat", "dog"])
        #expect(data.samples.map(\.label) == [0, 1, 1, 2, 2])
        #expect(data.samples.map(\.name).dropFirst() == ["cat/10.JPEG", "cat/2.jpg", "dog/2.jpg", "dog/old/1.jpeg"])
    }

    @Test func `shards in a folder are one data set, with the classes of all of them`() throws {
        try place.pack([("dog/1.jpg", content("1")), ("cat/2.jpg", content("2"))], into: "set-001.tar")
        try place.pack([("./ape/3.jpg", content("3")), ("dog/0.jpg", content("0"))], compressed: ARCHIVE_FILTER_GZIP, into: "set-000.tar.gz")
        try place.write(Array("dog\n".utf8), to: "classes.txt")
        let data = try Dataset(place.folder.path)
        #expect(data.classes == ["ape", "cat", "dog"])
        #expect(data.samples.map(\.name) == ["ape/3.jpg", "dog/0.jpg", "cat/2.jpg", "dog/1.jpg"])
        #expect(data.samples.map(\.label) == [0, 2, 1, 2])
        #expect(data.location(of: 3) == place.path("set-001.tar") + ": member dog/1.jpg")
        #expect(data.passedOver == [PassedOver(.other, 1, "classes.txt")])
        #expect(data.files == [place.path("set-000.tar.gz"), place.path("set-001.tar")])
        #expect((0..<4).map(data.file) == [0, 0, 1, 1])
    }

    @Test func `names that climb out of the archive are names and nothing more`() throws {
        try place.pack([("../../escape/1.jpg", content("1")), ("/root/2.jpg", content("2"))], into: "a.tar")
        let data = try Dataset(place.path("a.tar"))
        #expect(try contents(data).count == 2)
        #expect(!FileManager.default.fileExists(atPath: place.path("../../escape")))
    }

    @Test func `in folders links are followed, but never in a circle`() throws {
        try place.write(content("1"), to: "real/cat/1.jpg")
        try place.write(content("2"), to: "set/dog/2.jpg")
        try FileManager.default.createSymbolicLink(atPath: place.path("set/cat"), withDestinationPath: place.path("real/cat"))
        try FileManager.default.createSymbolicLink(atPath: place.path("set/dog/up"), withDestinationPath: place.path("set"))
        try FileManager.default.createSymbolicLink(atPath: place.path("set/dog/gone.jpg"), withDestinationPath: place.path("nowhere"))
        let data = try Dataset(place.path("set"))
        #expect(data.samples.map(\.name) == ["cat/1.jpg", "dog/2.jpg"])
        #expect(data.passedOver == [PassedOver(.link, 1, "dog/gone.jpg"), PassedOver(.repeated, 1, "dog/up")])
    }

    @Test func `two tars one behind the other are read to the end of the second`() throws {
        try place.pack([("cat/1.jpg", content("1"))], into: "a.tar")
        try place.pack([("dog/2.jpg", content("2"))], into: "b.tar")
        try place.write([UInt8](place.bytes("a.tar")) + [UInt8](place.bytes("b.tar")), to: "c.tar")
        let data = try Dataset(place.path("c.tar"))
        #expect(data.classes == ["cat", "dog"])
        #expect(try contents(data)[1].hasPrefix("dog/2.jpg 1 \(content("2").count) "))
    }

    @Test func `a tar cut anywhere is an error that names it`() throws {
        try place.pack(members, as: .gnutar, into: "a.tar")
        let whole = try [UInt8](place.bytes("a.tar"))
        let end = try #require(whole.lastIndex { $0 != 0 }) + 1
        for count in Array(stride(from: 1, through: end, by: 211)) + [512, 1024, end] {
            try place.write(Array(whole[..<count]), to: "cut.tar")
            let failure = failure(place.path("cut.tar"))
            #expect(failure?.kind == .data && failure?.path == place.path("cut.tar"), "cut at \(count): \(failure?.description ?? "no failure")")
        }
    }

    @Test func `a compressed tar or a zip cut anywhere is an error that names it`() throws {
        for (name, format, filter) in [("a.tar.gz", Workplace.Format.tar, ARCHIVE_FILTER_GZIP), ("a.tar.zst", .tar, ARCHIVE_FILTER_ZSTD), ("a.zip", .zip, 0)] {
            try place.pack(members, as: format, compressed: filter, into: name)
            let whole = try [UInt8](place.bytes(name))
            for count in stride(from: 1, to: whole.count - 1, by: max(1, whole.count / 40)) {
                try place.write(Array(whole[..<count]), to: "cut-" + name)
                let failure = failure(place.path("cut-" + name))
                #expect(failure?.kind == .data && failure?.path == place.path("cut-" + name), "\(name) cut at \(count)")
            }
        }
    }

    @Test func `every changed byte of a tar's headers gives samples or an error, and nothing else`() throws {
        try place.pack([("cat/1.jpg", content("1")), ("dog/2.jpg", content("2"))], as: .ustar, into: "a.tar")
        let whole = try [UInt8](place.bytes("a.tar"))
        var failures = 0
        for byte in 0..<512 {
            var changed = whole
            changed[byte] ^= 0x15
            try place.write(changed, to: "changed.tar")
            do { _ = try contents(Dataset(place.path("changed.tar"))) } catch let failure as Failure {
                #expect(failure.kind == .data)
                failures += 1
            }
        }
        #expect(failures > 100)
    }

    @Test func `what is missing, empty or no archive is said in the right words`() throws {
        #expect(failure(place.path("none"))?.description == "\(place.path("none")): cannot open the data: No such file or directory")
        #expect(failure(place.path("none"))?.kind == .noInput)
        try place.write([], to: "empty.tar")
        #expect(failure(place.path("empty.tar"))?.description == "\(place.path("empty.tar")): is empty")
        try place.write(Array("no archive at all".utf8), to: "text.tar")
        #expect(failure(place.path("text.tar"))?.kind == .data)
        try FileManager.default.createDirectory(atPath: place.path("folder"), withIntermediateDirectories: true)
        #expect(failure(place.path("folder"))?.description == "\(place.path("folder")): has no JPEG images (*.jpg, *.jpeg); it is empty")
        try place.write([1], to: "folder/a/readme.txt")
        #expect(failure(place.path("folder"))?.description == "\(place.path("folder")): has no JPEG images (*.jpg, *.jpeg), only 1 other file (a/readme.txt)")
        try place.pack([("notes.txt", content("1"))], into: "other.tar")
        #expect(failure(place.path("other.tar"))?.kind == .data)
    }

    @Test func `a file that has become shorter is said to have`() throws {
        try place.pack(members, into: "a.tar")
        let data = try Dataset(place.path("a.tar"))
        try place.write(Array([UInt8](place.bytes("a.tar"))[..<600]), to: "a.tar")
        let found = TestSupport.failure { _ = try DatasetsTests.bytes(data, 4) }
        #expect(found?.kind == .data, "\(found?.description ?? "none")")
    }
}
