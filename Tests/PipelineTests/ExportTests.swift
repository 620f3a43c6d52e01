import Foundation
import TestSupport
import Testing

/// EXPORT: files of the student for other programs.
struct ExportTests {
    @Test func `the files are those of convert-weights, are made when they are asked for, and again when they are lost`() throws {
        let place = try Workplace.images()
        let make = place.make("a") + " EPOCHS=1"
        try #require(try place.run(make).status == 0)
        let before = try place.results("a")
        let asked = try place.run("\(make) EXPORT='torch onnx'")
        #expect(asked.status == 0 && place.toDo(asked) == "onnx, torch", "\(asked.error)")
        try place.perform("convert-weights -q runs/a/student.safetensors -o s.onnx; convert-weights -q runs/a/student.safetensors -o s.pth")
        let files = (try place.bytes("runs/a/student.onnx"), try place.bytes("runs/a/student.pth"))
        let alone = (try place.bytes("s.onnx"), try place.bytes("s.pth"))
        #expect(files == alone)
        // The setting is remembered; only missing or damaged files are made again.
        #expect(try place.toDo(place.run(make)) == "nothing: all is done")
        try place.run("rm runs/a/student.onnx; printf x >> runs/a/student.pth")
        #expect(try place.toDo(place.run(make)) == "onnx, torch")
        #expect(try place.bytes("runs/a/student.onnx") == files.0)
        #expect(try place.bytes("runs/a/student.pth") == files.1 && place.exists("runs/a/student.pth.damaged"))
        #expect(try place.results("a") == before)
        // For a changed student.
        let longer = try place.run("\(place.make("a")) EPOCHS=2")
        #expect(place.toDo(longer)?.hasPrefix("student.2, student, onnx, torch") == true, "\(longer.error)")
        #expect(try place.bytes("runs/a/student.pth") != files.1)
        let none = try place.run("\(place.make("a")) EPOCHS=2 EXPORT=")
        #expect(none.status == 0 && place.toDo(none) == "nothing: all is done" && place.exists("runs/a/student.onnx"), "\(none.error)")
    }

    @Test func `a run without labels has them too`() throws {
        let place = try Workplace.images()
        // Without labels.
        try place.perform("mkdir x flat; for t in pictures/train/*.tar; do tar -C x -xf $t; done; n=0; for f in $(find x -name '*.jpg'); do n=$((n+1)); cp $f flat/$n.jpg; done")
        let result = try place.run(place.make("a", "DATA=$PWD/flat EPOCHS=1 TEACHER_OBJECTIVE=moco-v2 EXPORT=torch"))
        #expect(result.status == 0 && place.exists("runs/a/student.pth") && !place.exists("runs/a/student.onnx"), "\(result.error)")
    }
}
