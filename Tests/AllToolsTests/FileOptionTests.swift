import Testing
import TestSupport

/// File options are checked as soon as they are parsed.
struct FileOptionTests {
    /// Before any work: otherwise the tool would wait for a stream that never comes.
    @Test(arguments: [
        ("augment --data s -o ''", "-o is empty"), ("augment --data '' -o o", "--data is empty"), ("augment --data s --timing ''", "--timing is empty"), ("embed --weights w -o ''", "-o is empty"),
        ("embed --weights '' -o o", "--weights is empty"), ("embed --weights w --timing '' -o o", "--timing is empty"), ("embed --weights w '' -o o", "the input is empty"),
        ("train-step --student w -o ''", "-o is empty"), ("train-step --student '' -o o", "--student is empty"), ("train-step --student w -o o --log ''", "--log is empty"),
        ("queue-loss -o ''", "-o is empty"), ("queue-loss --queue ''", "--queue is empty"), ("initialize --network tiny-resnet10 -o ''", "-o is empty"), ("convert-weights w -o ''", "-o is empty"),
        ("convert-weights '' -o o", "the input is empty"), ("synthesize -o ''", "-o is empty"), ("synthesize --sheet ''", "--sheet is empty"), ("inspect ''", "the input is empty"),
        ("inspect --to-npy ''", "--to-npy is empty"), ("inspect --to-jpeg ''", "--to-jpeg is empty"), ("evaluate knn --train w --test w -o ''", "-o is empty"),
        ("evaluate linear --train '' --test w", "--train is empty"), ("evaluate linear --train w --test w --timing ''", "--timing is empty"),
        ("embed --weights w -o o --timing o", "same file"), ("embed --weights w -o o --timing ./o", "same file"), ("embed --weights w -o o --timing s/../o", "same file"),
        ("embed --weights w -o old --timing link", "same file"), ("embed --weights w -o old --timing hard", "same file"), ("embed --weights w --timing -", "same file"),
        ("embed --weights w --timing t > t", "same file"), ("embed --weights w -o o --timing w", "would replace --weights"), ("embed --weights w -o w", "would replace --weights"),
        ("embed --weights w -o v v", "would replace the input"), ("embed --weights w -o o --timing v < v", "would replace the input"), ("augment --data s -o s", "would replace --data"),
        ("augment --data v -o v", "would replace --data"), ("augment --data v --class-list w -o w", "would replace --class-list"),
        ("augment --data v --class-list w -o o --report w", "would replace --class-list"), ("augment --data v -o o --timing ./v", "would replace --data"), ("train-step --student w -o o --log o", "same file"),
        ("train-step --student w -o o --timing o", "same file"), ("train-step --student w -o o --log l --timing l", "same file"), ("train-step --student w -o o --log w", "would replace --student"),
        ("train-step --student w -o v v", "would replace the input"), ("queue-loss v -o v", "would replace the input"), ("queue-loss v -o o --queue o", "same file"), ("queue-loss v --queue v", "would replace"),
        ("evaluate knn --train v --test w -o o --timing o", "same file"), ("evaluate knn --train v --test w -o v", "would replace --train"), ("evaluate knn --train v --test w --timing w", "would replace --test"),
        ("evaluate knn --train - --test -", "both standard input"), ("embed --weights -", "both standard input"), ("inspect v --to-jpeg v", "would replace the input"),
        ("convert-weights w -o w", "would replace the input"), ("convert-weights - -o w < w", "would replace the input"), ("tap -o v < v", "would replace standard input"), ("fan-out --ended v -- cat < v", "would replace standard input"),
        ("tap -o t < v > t", "same file"), ("inspect v --to-jpeg x --to-npy x", "same file"), ("inspect v --to-jpeg x > x", "same file"), ("synthesize -o x --sheet x", "same file"), ("synthesize -o x --timing x", "same file"),
    ]) func `a name that is empty or given twice is 64 before anything is done`(line: String, words: String) throws {
        let place = try Workplace()
        for name in ["v", "w", "old"] { try place.write("x", to: name) }
        try place.run("mkdir s; ln -s old link; ln old hard")
        let before = try place.contents()
        let result = try place.run(line.contains("<") ? line : "\(line) < <(sleep 5)")
        #expect(result.status == 64 && result.error.contains(words) && result.lines.count == 1, "\(line): \(result.status) \(result.error)")
        #expect(try Set(place.contents()).subtracting(["t", "x"]) == Set(before))
    }

    @Test func `what may go together does`() throws {
        let place = try Workplace()
        let result = try place.run("""
            set -e
            synthesize -o s --train 16 --test 4 --classes 2 --size 16 --shards 1 -q
            augment --data s/train --size 16 --batch 8 -q -o v --timing /dev/null
            initialize --network tiny-resnet10 -q -o w; cp w kept
            embed --weights w v -q -o e --timing t
            train-step --student w e -q --queue-size 8 -o w --log /dev/null --timing /dev/null
            convert-weights w -q -o c
            embed --weights w v --features --drop images -q -o f
            evaluate knn --train f --test f -q > /dev/null; ls
            """)
        #expect(result.status == 0 && result.output.split(separator: "\n") == ["c", "e", "f", "kept", "s", "t", "v", "w"], "\(result.error)")
        #expect(try place.bytes("w") != place.bytes("kept"))
    }
}
