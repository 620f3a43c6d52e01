import Foundation
import TensorStreams
import TestSupport
import Testing

/// A trained network gets a classifier, which is trained, converted and names its classes.
struct ClassifierTests {
    private func place() throws -> Workplace {
        let place = try Workplace()
        try place.perform(
            """
            synthesize -o s --train 48 --test 16 --classes 4 --size 16 --shards 1 -q; augment --data s/train --size 16 --batch 16 -q -o views
            initialize --network tiny-resnet10 --embedding 16 --seed 3 -q -o seed.safetensors
            initialize --from seed.safetensors --classes 4 --seed 5 -q -o 0.safetensors
            """)
        return place
    }

    @Test func `initialize takes the trunk of a file, its statistics too, and makes the head anew`() throws {
        let place = try place()
        try place.perform(
            """
            augment --data s/train --size 16 --batch 16 --views 2 -q | train-step --objective simsiam --student seed.safetensors -q -o trained.safetensors
            convert-weights trained.safetensors -q -o trained.pth
            for f in trained.safetensors trained.pth; do initialize --from $f --classes 4 --seed 5 -q -o $f.4.safetensors; done
            initialize --network tiny-resnet10 --classes 4 --seed 5 -q -o fresh.safetensors
            initialize --from trained.safetensors --head 'linear 8, batch-norm, relu, linear 4' -q -o mlp.safetensors
            """)
        func read(_ name: String) throws -> TensorDocument { try DocumentFile.read(place.path(name)) }
        let (before, after, fresh) = (try read("trained.safetensors"), try read("trained.safetensors.4.safetensors"), try read("fresh.safetensors"))
        #expect(after.names == fresh.names && after.tensors["fc.weight"]?.shape == [4, 128])
        for name in after.names { #expect(after.tensors[name] == (name.hasPrefix("fc.") ? fresh : before).tensors[name], "\(name)") }
        #expect(try read("trained.pth.4.safetensors").tensors == after.tensors)
        #expect(after.metadata["epoch"] == "0" && after.metadata["objective"] == nil && after.metadata["provenance"]?.hasSuffix("initialize 0.1.0 --classes 4 --seed 5") == true)
        #expect(try read("mlp.safetensors").tensors["fc.3.weight"]?.shape == [4, 8])
    }

    @Test func `a classifier learns the labels, keeps the names of its classes, and embed tells what its logits are`() throws {
        let place = try place()
        for (name, options) in [("all", "--learning-rate 0.01"), ("frozen", "--freeze-trunk on --learning-rate 0.1"), ("adam", "--trunk-rate 0.1 --optimizer adam --learning-rate 0.01")] {
            try place.perform(
                """
                cp 0.safetensors \(name).0.safetensors
                for n in 0 1 2; do train-step --objective supervised --student \(name).$n.safetensors views --schedule constant \(options) -q -o \(name).$((n + 1)).safetensors; done
                convert-weights \(name).3.safetensors -q -o \(name).safetensors
                augment --data s/test --recipe evaluation --size 16 -q | embed --weights \(name).safetensors --logits --drop images -q -o \(name).logits
                """)
            let classes = try #require(try place.read("views").header.metadata["classes"])
            for file in ["\(name).1.safetensors", "\(name).safetensors"] { #expect(try DocumentFile.read(place.path(file)).metadata["classes"] == classes, "\(file)") }
            #expect(try place.read("\(name).logits").header.metadata["logit_classes"] == classes)
        }
        // Removing the head removes the names.
        try place.perform("convert-weights all.safetensors --backbone -q -o trunk.safetensors; convert-weights all.safetensors --project 4 -q -o four.safetensors")
        #expect(try DocumentFile.read(place.path("trunk.safetensors")).metadata["classes"] == nil)
        let frozen = try DocumentFile.read(place.path("frozen.safetensors")), start = try DocumentFile.read(place.path("0.safetensors"))
        for name in start.names { #expect((frozen.tensors[name] == start.tensors[name]) != name.hasPrefix("fc."), "\(name)") }
    }

    @Test func `heads and classes that do not fit are one line`() throws {
        let place = try place()
        try place.perform(
            """
            initialize --network tiny-resnet10 --embedding 0 -q -o bare.safetensors
            train-step --objective supervised --student 0.safetensors views -q -o 1.safetensors
            mkdir other; tar -xf s/train/*.tar -C other; cd other; mv "$(ls | head -1)" zzz; cd ..; augment --data other --size 16 --batch 16 -q -o others
            embed --weights 1.safetensors --logits views -q -o taught; embed --weights 1.safetensors --logits others -q -o crossed
            """)
        let wrong = [
            ("train-step --objective supervised --student seed.safetensors views -o x", 65, "seed.safetensors: has a head of 16 numbers where there are 4 classes; give it a new classifier: initialize --from seed.safetensors --classes 4"),
            ("train-step --objective supervised --student bare.safetensors views -o x", 65, "bare.safetensors: has no classifier"),
            ("train-step --objective supervised --student 1.safetensors others -o x", 65, "1.safetensors: class "),
            ("train-step --objective kd --student 0.safetensors crossed -o x", 65, "crossed: class 0 of the teacher is "),
            ("embed --weights bare.safetensors --logits views -o x", 65, "bare.safetensors: has no head that gives logits"),
            ("train-step --objective kd --freeze-trunk maybe --student 0.safetensors taught -o x", 64, "--freeze-trunk takes on or off, found maybe"),
            ("train-step --objective supervised --trunk-rate 2 --student 0.safetensors views -o x", 64, "--trunk-rate takes 0 to 1, found 2"),
            ("initialize --from seed.safetensors -o x.safetensors", 64, "say which one to make: --classes, --head or --embedding"),
            ("initialize --from seed.safetensors --classes 4 --embedding 3 -o x.safetensors", 64, "--classes makes the head"),
            ("initialize --classes 4 -o x.safetensors", 64, "--network names a network, --from a file"), ("initialize --from missing --classes 4 -o x.safetensors", 66, "missing: "),
            ("initialize --from seed.safetensors --network resnet18 --classes 4 -o x.safetensors", 65, "seed.safetensors: is no resnet18"),
            ("initialize --from seed.safetensors --classes 4 -o seed.safetensors", 64, "-o would replace --from"),
        ]
        for (line, status, words) in wrong {
            let result = try place.run(line)
            #expect(result.status == status && result.error.contains(words) && !place.exists("x") && !place.exists("x.safetensors"), "\(line): \(result.error)")
        }
        #expect(try place.run("train-step --objective kd --student 0.safetensors taught -q -o kd.safetensors").status == 0)
    }
}
