import TestSupport
import Testing

struct CommandLineTests {
    @Test(arguments: [
        ("initialize", "initialize --network resnet18 --embedding 128", "See also: train-step"),
        ("embed", "embed --weights student.safetensors --features", "See also: augment"),
        ("train-step", "train-step --student student.3.safetensors", "See also: initialize"),
        ("convert-weights", "convert-weights student.24.safetensors -o student.safetensors", "See also: inspect"),
    ])
    func `help has an example and what to see also`(tool: String, example: String, seeAlso: String) throws {
        let result = try Workplace().run("\(tool) --help")
        #expect(result.status == 0 && result.error.isEmpty)
        let words = result.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        #expect(words.contains(example) && words.contains(seeAlso))
    }

    @Test(arguments: [
        ("initialize", "--output"), ("initialize -o out", "--network"), ("initialize --network resnet18", "--output"), ("initialize --network vgg16 -o out", "no network is named 'vgg16'"),
        ("initialize --network resnet18 --embedding=-1 -o out", "--embedding takes 0 to 65536, found -1"),
        ("initialize --network resnet18 --embedding 65536 --hidden 65536 -o out", "at most"),
        ("initialize --network resnet18 --hidden 65537 -o out", "--hidden"), ("initialize --network resnet18 --seed -1 -o out", "--seed"),
        ("embed in -o out", "--weights"), ("embed --weights w --level 20 -o out", "--level takes -100 to 19, found 20"),
        ("embed --weights w --view -1 -o out", "--view"), ("embed --weights w a b -o out", "Unexpected argument 'b'"), ("embed --weights w --threads 0 -o out", "--threads"),
        ("convert-weights -o out", "input"), ("convert-weights in", "--output"), ("convert-weights in -o out --quarter", "quarter"),
        ("train-step -o out", "--student"), ("train-step --student s", "--output"), ("train-step --student s -o out --objective dina", "moco-v2"),
        ("train-step --student s -o out --learning-rate -1", "--learning-rate"), ("train-step --student s -o out --learning-rate nan", "--learning-rate"),
        ("train-step --student s -o out --epochs 0", "--epochs"), ("train-step --student s -o out --warm-up 300", "--warm-up"),
        ("train-step --student s -o out --momentum 1", "--momentum"), ("train-step --student s -o out --weight-decay 2", "--weight-decay"),
        ("train-step --student s -o out --queue-size 0", "--queue-size"), ("train-step --student s -o out --teacher-temperature 0", "temperature"),
        ("train-step --student s -o out --student-temperature 1e9", "temperature"), ("train-step --student s -o out --key-momentum 2", "--key-momentum"),
        ("train-step --student s -o out --normalization-groups 0", "--normalization-groups"), ("train-step --student s -o out --log-interval 0", "--log-interval"),
        ("train-step --student s -o out --objective supervised-contrastive --loss x", "--loss is of no use to supervised-contrastive"),
        ("train-step --student s -o out --schedule step", "--schedule"), ("train-step --student s -o out --schedule steps", "--schedule steps needs --milestones"),
        ("train-step --student s -o out --schedule steps --milestones 80,60", "--milestones takes rising epochs"),
        ("train-step --student s -o out --milestones 80", "--milestones is of no use with --schedule seed; it goes with steps"),
        ("train-step --student s -o out --objective byol --start-share 0.1", "--start-share is of no use with --schedule warm-up-cosine; it goes with swav"),
        ("train-step --student s -o out --optimizer lamb", "--optimizer"), ("train-step --student s -o out --trust 0.1", "--trust is of no use with --optimizer sgd"),
        ("train-step --student s -o out --objective byol --nesterov", "--nesterov is of no use with --optimizer lars-byol; leave it out"),
        ("train-step --student s -o out --optimizer adam --momentum 0.8", "--momentum is of no use with --optimizer adam"),
        ("train-step --student s -o out --optimizer adam", "--optimizer adam needs --learning-rate: that of seed, 0.03, is for sgd"),
        ("train-step --student s -o out --objective byol --optimizer sgd", "--optimizer sgd needs --learning-rate: that of byol, 0.3, is for lars-byol"),
        ("train-step --student s -o out --objective kd --freeze-trunk on --trunk-rate 0.1", "--trunk-rate is of no use with --freeze-trunk on; leave one of them out"),
        ("train-step --student s -o out --optimizer adam --betas 0.9", "--betas takes two numbers"),
        ("train-step --student s -o out --objective byol --temperature 3", "--temperature is of no use to byol; leave it out"),
        ("train-step --student s -o out --objective simclr --loss-sum maybe", "--loss-sum takes on or off, found maybe"),
        ("embed --weights w --features --logits -o out", "--features and --logits ask for different rows"),
        ("train-step --student s -o out --centre maybe", "--centre"), ("train-step --student s -o out --teacher-temperature warm", "--teacher-temperature"),
        ("train-step --student s -o out --objective moco-v2 --centre auto", "--centre is of no use to moco-v2; leave it out"),
        ("train-step --student s -o out --objective supervised-contrastive --teacher-temperature auto", "--teacher-temperature is of no use to supervised-contrastive"),
        ("train-step --student s -o out --loss queue-loss --centre none", "--centre belongs to the loss; give it to the program that --loss names"),
        ("train-step --student s -o out --base-learning-rate 0.1 --learning-rate 0.1", "--base-learning-rate replaces --learning-rate; give one of them"),
        ("train-step --student s -o out --base-learning-rate 0.1", "--base-learning-rate is of no use with --schedule seed"),
        ("train-step --student s -o out --base-learning-rate -1 --schedule smooth", "--base-learning-rate takes 0 to 10000"),
        ("train-step --student s -o out --loss queue-loss --queue-size 8", "--queue-size belongs to the loss"),
        ("train-step --student s -o out --loss queue-loss --student-temperature 0.1", "--student-temperature belongs to the loss"),
        ("train-step --student s -o out --loss queue-loss --teacher-temperature 0.1", "--teacher-temperature belongs to the loss"),
        // Very short tasks are not timed.
        ("initialize --network resnet18 -o out --timing t", "--timing"), ("convert-weights in -o out --timing t", "--timing"), ("inspect in --timing t", "--timing"),
    ])
    func `a wrong command line is 64 and says why`(line: String, words: String) throws {
        try Workplace().expectFailure(line, 64, words)
    }

    @Test(arguments: ["augment", "embed", "queue-loss", "train-step", "evaluate", "inspect", "synthesize", "initialize", "convert-weights", "tap", "merge-shards", "plan", "benchmark"])
    func `every tool tells its version`(tool: String) throws {
        let result = try Workplace().run("\(tool) --version")
        #expect(result.status == 0 && result.output == "0.1.0\n")
    }

    @Test func `an input that is not there is 66`() throws {
        let place = try Workplace.training()
        for line in [
            "embed --weights nothing views -o out", "embed --weights teacher nothing -o out", "convert-weights nothing -o out",
            "train-step --student nothing taught -o out", "train-step --student student nothing -o out",
        ] {
            try place.expectFailure(line, 66, "nothing: cannot open it: No such file or directory")
        }
    }

    @Test func `an output that cannot be made is 73, before any work is done`() throws {
        let place = try Workplace.training()
        for line in [
            "initialize --network tiny-resnet10 -o nowhere/out", "embed --weights teacher views -o nowhere/out", "convert-weights student -o nowhere/out",
            "train-step --student student taught --log log -o nowhere/out", "train-step --student student taught -o out --log nowhere/out",
            "train-step --student student taught -o out --timing nowhere/out", "embed --weights teacher views -o out --timing nowhere/out",
        ] {
            try place.expectFailure(line, 73, "nowhere/out: cannot create it: No such file or directory")
        }
        try place.expectFailure("convert-weights student -o pictures", 73, "pictures: is a folder")
    }

    @Test func `an output that cannot be written is 74`() throws {
        let place = try Workplace.training()
        for line in [
            "initialize --network tiny-resnet10 -o /dev/full", "embed --weights teacher views -o /dev/full", "convert-weights student -o /dev/full",
            "train-step --student student taught -q -o /dev/full", "train-step --student student taught -q -o out --log /dev/full",
        ] {
            try place.expectFailure(line, 74, "/dev/full: cannot write: No space left on device")
        }
        try place.expectFailure("convert-weights student -o - > /dev/full", 74, "standard output: cannot write: No space left on device")
    }

    @Test(arguments: [
        "initialize --network resnet18 -q -o -", "embed --weights teacher views -q", "convert-weights student -q -o -", "train-step --student student taught -q -o -",
    ])
    func `a reader that goes away ends it quietly`(line: String) throws {
        let place = try Workplace.training()
        let result = try place.run("(\(line); echo $? > status) | true")
        #expect(result.error.isEmpty)
        #expect(try place.text("status") == "141\n")
    }
}
