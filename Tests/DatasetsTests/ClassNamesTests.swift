import Datasets
import Foundation
import TestSupport
import Testing
import ToolSupport

/// Classes and splits in a folder and in its archives.
struct ClassNamesTests {
    let place: Workplace
    init() throws { place = try Workplace() }

    /// "path label" of the samples, in the folder and, identically, in its archives.
    private func labels(_ names: [String], split: String? = nil, classes: [String] = []) throws -> (data: Dataset, labels: [String]) {
        try place.perform("rm -rf set set.tar set.tgz inside.tar")
        for name in names { try place.write(content(name), to: "set/" + name) }
        let data = try Dataset(place.path("set"), split: split, classes: classes)
        func text(_ data: Dataset) -> [String] { data.samples.map { "\($0.name) \($0.label < 0 ? "-" : data.classes[$0.label])" } }
        let expected = text(data)
        try place.perform("tar cf set.tar set; tar czf set.tgz set; tar cf inside.tar -C set .")
        for archive in ["set.tar", "set.tgz", "inside.tar"] {
            let other = try Dataset(place.path(archive), split: split, classes: classes)
            #expect(text(other).map { $0.hasPrefix("set/") ? String($0.dropFirst(4)) : $0 } == expected, "\(archive)")
            #expect(other.split == data.split && other.splits == data.splits && other.classes == data.classes && other.passedOver.map(\.count) == data.passedOver.map(\.count))
        }
        return (data, expected)
    }

    @Test func `one folder is one class`() throws {
        #expect(try labels(["cat/1.jpg", "cat/2.jpg"]).labels == ["cat/1.jpg cat", "cat/2.jpg cat"])
        #expect(try labels(["cat/1.jpg", "cat/2.jpg", "cat/persian/3.jpg"]).labels == ["cat/1.jpg cat", "cat/2.jpg cat", "cat/persian/3.jpg cat"])
    }

    @Test func `images without a folder have no label`() throws {
        let (data, labels) = try labels(["1.jpg", "2.jpg"])
        #expect(labels == ["1.jpg -", "2.jpg -"] && data.classes == [] && data.unlabelled == 0)
    }

    @Test func `an image beside the classes has no label and changes no other's`() throws {
        let (data, labels) = try labels(["cat/1.jpg", "dog/2.jpg", "stray.jpg"])
        #expect(labels == ["cat/1.jpg cat", "dog/2.jpg dog", "stray.jpg -"] && data.unlabelled == 1)
        #expect(try self.labels(["photos/cat/1.jpg", "photos/dog/2.jpg", "stray.jpg"]).labels == ["photos/cat/1.jpg cat", "photos/dog/2.jpg dog", "stray.jpg -"])
        #expect(try self.labels(["photos/cat/1.jpg", "photos/dog/2.jpg", "photos/stray.jpg"]).labels == ["photos/cat/1.jpg cat", "photos/dog/2.jpg dog", "photos/stray.jpg -"])
    }

    @Test func `a folder around all others is passed through, however deep`() throws {
        #expect(try labels(["x/y/dog/1.jpg", "x/y/cat/in/2.jpg"]).labels == ["x/y/cat/in/2.jpg cat", "x/y/dog/1.jpg dog"])
        #expect(try labels(["photos/cat/1.jpg"]).labels == ["photos/cat/1.jpg cat"])
        // A class that is known by name is one even on its own.
        #expect(try labels(["animals/cat/1.jpg"], classes: ["animals", "plants"]).labels == ["animals/cat/1.jpg animals"])
    }

    @Test func `splits are no classes, and without a wish the training part is taken`() throws {
        let names = ["train/cat/1.jpg", "train/dog/2.jpg", "val/cat/3.jpg", "val/dog/4.jpg"]
        let (data, labels) = try labels(names)
        #expect(labels == ["train/cat/1.jpg cat", "train/dog/2.jpg dog"] && data.split == "train" && data.splits == ["train", "val"])
        let (other, held) = try self.labels(names, split: "val")
        #expect(held == ["val/cat/3.jpg cat", "val/dog/4.jpg dog"] && other.split == "val" && other.passedOver == [])
        for (training, validation, wanted) in [("training", "validation", "val"), ("Train", "VALID", "valid"), ("train2017", "val2017", "validation"), ("train", "test", "test"), ("train-1", "testing", "testing")] {
            let names = ["\(training)/cat/1.jpg", "\(validation)/cat/3.jpg"]
            #expect(try self.labels(names).labels == ["\(training)/cat/1.jpg cat"])
            #expect(try self.labels(names, split: wanted).labels == ["\(validation)/cat/3.jpg cat"])
        }
        #expect(try self.labels(["data/" + names[0], "data/" + names[2]]).labels == ["data/train/cat/1.jpg cat"])
    }

    @Test func `splits may be flat, of one class, or wrapped once more`() throws {
        #expect(try labels(["train/1.jpg", "val/2.jpg"]).labels == ["train/1.jpg -"])
        #expect(try labels(["train/1.jpg"]).labels == ["train/1.jpg -"])
        #expect(try labels(["test/cat/1.jpg"]).labels == ["test/cat/1.jpg cat"])
        #expect(try labels(["train/images/cat/1.jpg", "train/images/dog/2.jpg", "val/images/cat/3.jpg"]).labels == ["train/images/cat/1.jpg cat", "train/images/dog/2.jpg dog"])
    }

    @Test func `what lies beside splits is passed over and counted`() throws {
        let (data, labels) = try labels(["train/cat/1.jpg", "val/cat/2.jpg", "samples/3.jpg", "4.jpg"])
        #expect(labels == ["train/cat/1.jpg cat"] && data.passedOver == [PassedOver(.beside, 2, "4.jpg")])
    }

    @Test func `a class that is called train among others is a class`() throws {
        #expect(try labels(["bus/1.jpg", "train/2.jpg", "tram/3.jpg"]).labels == ["bus/1.jpg bus", "train/2.jpg train", "tram/3.jpg tram"])
        #expect(try labels(["train station/1.jpg", "test tube/2.jpg"]).data.classes == ["test tube", "train station"])
        #expect(try labels(["train/1.jpg"], classes: ["bus", "train"]).labels == ["train/1.jpg train"])
    }

    @Test func `a split that is not there, or must be named, is an error that says which there are`() throws {
        for name in ["set/test/cat/1.jpg", "set/val/cat/2.jpg", "plain/cat/3.jpg", "two/train2014/cat/4.jpg", "two/train2017/cat/5.jpg"] { try place.write(content(name), to: name) }
        for (path, split, words) in [
            ("set", nil, "has the splits test, val; name one with --split"), ("set", "train", "has no split 'train', only test, val; name one of these"),
            ("plain", "val", "has no split 'val': none of its folders is named train, val or test; leave --split out"), ("two", nil, "has the splits train2014, train2017"),
            ("two", "train", "has no split 'train', only train2014, train2017"),
        ] as [(String, String?, String)] {
            let failure = #expect(throws: Failure.self) { try Dataset(place.path(path), split: split) }
            #expect(failure?.kind == .usage && failure?.path == place.path(path) && failure?.description.contains(words) == true, "\(failure?.description ?? "")")
        }
        #expect(try Dataset(place.path("two"), split: "train2017").samples.map(\.name) == ["train2017/cat/5.jpg"])
    }

    @Test func `archives in split folders, and archives that are named for splits, are splits`() throws {
        try place.pack([("cat/1.jpg", content("1")), ("dog/2.jpg", content("2"))], into: "train-000.tar")
        try place.pack([("cat/3.jpg", content("3")), ("dog/4.jpg", content("4"))], into: "test-000.tar")
        try place.perform("mkdir -p folders/train folders/test files; cp train-000.tar folders/train; cp test-000.tar folders/test; cp train-000.tar test-000.tar files")
        for path in ["folders", "files"] {
            let train = try Dataset(place.path(path)), test = try Dataset(place.path(path), split: "test")
            #expect(train.split == "train" && train.splits == ["test", "train"] && train.classes == ["cat", "dog"] && train.samples.map(\.label) == [0, 1])
            #expect(test.split == "test" && test.samples.map(\.name) == ["test/cat/3.jpg", "test/dog/4.jpg"] && test.samples.map(\.label) == [0, 1])
            #expect(test.files.count == 1 && test.location(of: 0) == "\(test.files[0]): member cat/3.jpg")
        }
        // Archives that all belong to the same split are one set.
        try place.perform("cp train-000.tar folders/train/train-001.tar")
        #expect(try Dataset(place.path("folders/train")).samples.count == 4 && Dataset(place.path("folders/train")).split == nil)
        // An archive that contains its split's folder again.
        try place.pack([("val/cat/1.jpg", content("1"))], into: "val.tar")
        try place.perform("mv val.tar files")
        #expect(try Dataset(place.path("files"), split: "val").classes == ["cat"])
    }

    @Test func `an archive's only folder that has its name is the folder itself`() throws {
        try place.write(content("1"), to: "cats/1.jpg")
        try place.perform("tar cf cats.tar cats; cp cats.tar pets.tar; mkdir shards; cp cats.tar shards")
        #expect(try Dataset(place.path("cats")).classes == [] && Dataset(place.path("cats.tar")).classes == [])
        #expect(try Dataset(place.path("pets.tar")).classes == ["cats"])
        // In a folder of archives the inner folder is a class: each archive may hold one.
        #expect(try Dataset(place.path("shards")).classes == ["cats"])
    }
}
