import Foundation
import TestSupport
import Testing

/// A stage depends on the content of the data.
struct IdentityTests {
    private let nothing = "nothing: all is done"

    @Test func `touching, copying, moving, packing equal data does nothing again`() throws {
        let place = try Workplace.images()
        try place.run("mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done; rm -r pictures/train; mv folder pictures/train")
        try #require(try place.run(place.make("a")).status == 0)
        for (change, settings) in [
            ("find images -exec touch {} +", ""),
            ("find images -exec touch -d 2001-01-01 {} +", ""),
            ("find images -exec touch -d 2041-01-01 {} +", ""),
            ("find images -exec touch -d 2300-01-01 {} +", ""),
            ("cp -r pictures copied", "DATA=$PWD/copied/train TEST=$PWD/copied/test"),
            ("mv pictures moved", "DATA=$PWD/moved/train TEST=$PWD/moved/test"),
            ("ln -s moved 'linked to'", "'DATA=linked to/train' TEST=$PWD/moved/test"),
            ("tar cf packed.tar -C moved/train .", "DATA=$PWD/packed.tar TEST=$PWD/moved/test"),
            ("(cd moved/train && tar czf ../../packed.tgz *)", "DATA=$PWD/packed.tgz TEST=$PWD/moved/test"),
        ] {
            let given = settings.replacing("'DATA=linked", with: "'DATA='$PWD'/linked")
            let result = try place.run("\(change); \(place.make("a", given.isEmpty ? "" : given))")
            #expect(result.status == 0 && place.toDo(result) == nothing, "\(change): \(result.error)")
        }
    }

    @Test func `data that grew, shrank, was replaced or relabelled is learnt anew, whatever its times`() throws {
        let place = try Workplace.images()
        try place.run("mkdir folder; for f in pictures/train/*.tar; do tar xf $f -C folder; done; rm -r pictures/train; mv folder pictures/train")
        try #require(try place.run(place.make("a")).status == 0)
        let all = "teacher.1, student.1 … student.2, student, features, evaluation, table, report"
        for change in [
            // Grown: one more image, with an old timestamp.
            "set -- pictures/train/*; set -- $1/*; cp $1 ${1%.jpg}-more.jpg; touch -d 2001-01-01 ${1%.jpg}-more.jpg",
            // Replaced in place, with the old size and timestamp.
            "set -- pictures/train/*; set -- $1/*; touch -r $1 time; printf x | dd of=$1 bs=1 seek=40 conv=notrunc status=none; touch -r time $1",
            // Relabelled: an image moved to another class.
            "set -- pictures/train/*; set -- $1/* $2; mv $1 ${@: -1}",
        ] {
            let result = try place.run("\(change); \(place.make("a", "").replacing(" distill ", with: " check "))")
            #expect(result.status == 0 && place.toDo(result) == all, "\(change): \(result.error)")
            let again = try place.run(place.make("a", ""))
            #expect(again.status == 0, "\(again.error)")
            #expect(try place.toDo(place.run(place.make("a", ""))) == nothing)
        }
        // An archive in a folder, replaced by another with the old timestamp.
        let other = try Workplace.images()
        try #require(try other.run(other.make("a")).status == 0)
        let result = try other.run("""
            touch -r pictures/test/test-000.tar time; cp pictures/test/test-001.tar pictures/test/test-000.tar; touch -r time pictures/test/test-000.tar
            \(other.make("a"))
            """)
        #expect(result.status == 0 && other.toDo(result) == "features, evaluation, table, report", "\(result.error)")
    }

    @Test func `a teacher of other bytes is another teacher, and one with another time or place is not`() throws {
        let place = try Workplace.images()
        try place.run("initialize --network tiny-resnet18 --embedding 16 --seed 3 -q -o mine.safetensors")
        let given = "DATA=$PWD/pictures/train TEST=$PWD/pictures/test TEACHER=$PWD/mine.safetensors"
        try #require(try place.run(place.make("a", given)).status == 0)
        let same = try place.run("touch -d 2041-01-01 mine.safetensors; mv mine.safetensors yours.safetensors; \(place.make("a", given.replacing("mine", with: "yours")))")
        #expect(same.status == 0 && place.toDo(same) == nothing, "\(same.error)")
        let other = try place.run("""
            touch -r yours.safetensors time; initialize --network tiny-resnet18 --embedding 16 --seed 4 -q -o yours.safetensors; touch -r time yours.safetensors
            \(place.make("a", given.replacing("mine", with: "yours")))
            """)
        #expect(other.status == 0 && place.toDo(other) == "student.1 … student.2, student, features, evaluation, table, report", "\(other.error)")
    }

    @Test func `test images that are also learnt from are counted`() throws {
        let place = try Workplace.images()
        let result = try place.run("cp pictures/train/train-000.tar pictures/test/more.tar; \(place.make("a").replacing(" distill ", with: " check "))")
        #expect(result.status == 0 && result.error.contains("TEST: 24 of its 56 images are also in DATA"), "\(result.error)")
    }

    @Test func `classes whose names differ in the case of letters only are told`() throws {
        let place = try Workplace.images()
        let result = try place.run("""
            mkdir all; for f in pictures/train/*.tar; do tar xf $f -C all; done; set -- $(ls all); cp -r all/$1 all/$(echo $1 | tr a-z A-Z); mkdir all/empty
            \(place.make("a", "DATA=$PWD/all").replacing(" distill ", with: " check "))
            """)
        #expect(result.status == 0 && result.error.contains(/DATA: the classes '[A-Z0-9-]+', '[a-z0-9-]+' differ only in the case of letters/), "\(result.error)")
        #expect(result.error.contains("skipped      DATA: 1 empty folder (empty)"), "\(result.error)")
    }

    @Test func `any name that a file can have works, and nothing of it is run`() throws {
        for name in ["train(1).tar", "a&b.tar", "it's.tar", "a,b", "a%b", "a:b", "#", ";", "*", "two  words", "$(touch pwned)", "`touch pwned`", "a\nb", "a\\b", "\"", "é̈ü", "\u{301}mark", "\u{200D}joiner", "-n", "~", "=", "a=b", "[x]", "$HOME", "$$"] {
            let place = try Workplace.images()
            let data = name.hasSuffix(".tar") ? "cat" : "mkdir"
            try place.write(name, to: "name")
            // The name comes from a file, because the quoting of the test's own shell is not under test.
            let result = try place.run("""
                n=$(cat name); mkdir -p all; for f in pictures/train/*.tar; do tar xf $f -C all; done
                if [ \(data) = cat ]; then tar cf "./$n" -C all .; else mv all "./$n"; fi
                \(place.make("NAME", #""DATA=$PWD/$n" "TEST=$PWD/$n" EPOCHS=1"#).replacing("NAME=NAME ", with: ""))
                """)
            #expect(result.status == 0 && result.output.contains("student after"), "\(name): \(result.error)")
            #expect(!place.exists("pwned") && !FileManager.default.fileExists(atPath: Workplace.root + "/pwned"))
        }
        let bytes = try Workplace()
        let refused = try bytes.run(#"mkdir $'\xff\xfe'; "# + bytes.make("a", #"DATA=$PWD/$'\xff\xfe'"#))
        #expect(refused.status == 2 && refused.error.contains("is not UTF-8; give a link to it whose name is") && !bytes.exists("runs"), "\(refused.error)")
    }

    @Test func `a name of a run may be odd, and removes nothing of another's`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("5")).status == 0)
        let before = try place.times("5")
        for name in ["%", "5%", "a b", "x;y", "$(touch pwned)", "it's"] {
            try place.write(name, to: "name")
            let result = try place.run("n=$(cat name); " + place.make("NAME", #"DATA=$PWD/pictures/train TEST=$PWD/pictures/test EPOCHS=1"#).replacing("NAME=NAME", with: #""NAME=$n""#))
            #expect(result.status == 0 && place.exists("runs/\(name)/student.safetensors"), "\(result.error)")
        }
        #expect(try place.times("5") == before && !place.exists("pwned"))
    }
}
