import Randomness
import Synthesis
import Testing

struct SceneTests {
    @Test func `class names are unique words, and every shape lies on several grounds and every ground under several shapes`() {
        let classes = ImageClass.list(24)
        #expect(Set(classes.map(\.name)).count == 24 && classes.map(\.name) == classes.map(\.name).sorted())
        for shape in Shape.allCases { #expect(Set(classes.filter { $0.shape == shape }.map(\.ground)).count == 3) }
        for ground in Ground.allCases { #expect(Set(classes.filter { $0.ground == ground }.map(\.shape)).count == 4) }
        #expect(Set(ImageClass.list(ImageClass.limit)).count == ImageClass.limit)
    }

    @Test func `an image depends on its seed, split, number and class alone`() {
        let set = ImageSet(classes: 24, size: 32, seed: 5)
        let image = set.pixels(.train, 40)
        #expect(image.count == 32 * 32 * 3)
        #expect(image == ImageSet(classes: 24, size: 32, seed: 5).pixels(.train, 40))
        #expect(image != ImageSet(classes: 24, size: 32, seed: 6).pixels(.train, 40))
        #expect(image != set.pixels(.test, 40) && image != set.pixels(.train, 41))
    }

    @Test func `a larger image shows the same scene`() {
        for kind in ImageClass.list(ImageClass.limit) {
            let small = shades(kind, size: 48, item: 3)
            let large = shades(kind, size: 96, item: 3)
            // Means of two by two pixels of the large image; grain and edges differ.
            var sum: Float = 0
            for row in 0..<48 {
                for column in 0..<48 {
                    let corner = row * 2 * 96 + column * 2
                    let mean = (large[corner] + large[corner + 1] + large[corner + 96] + large[corner + 97]) / 4
                    sum += abs(mean - small[row * 48 + column])
                }
            }
            #expect(sum / (48 * 48) < 8, "\(kind.name)")
        }
    }

    @Test func `objects stand out from their ground without colour`() {
        // An image without pattern has the background's grey, between 0.34 and 0.66 or so, and objects at least a third
        // away from it.
        for shape in Shape.allCases {
            for item in 0..<20 {
                let shades = shades(ImageClass(shape, .plain), size: 64, item: item)
                let middle = shades.sorted()[shades.count / 2]
                let far = shades.count { abs($0 - middle) > 40 }
                #expect(far * 100 / shades.count >= 4, "\(shape) \(item)")
            }
        }
    }

    @Test func `colours and brightness vary within a class as much as between classes`() {
        let classes = ImageClass.list(24)
        let means = classes.map { kind in
            (0..<20).map { item in
                let shades = shades(kind, size: 24, item: item)
                return shades.reduce(0, +) / Float(shades.count)
            }
        }
        let ofClasses = means.map { $0.reduce(0, +) / Float($0.count) }
        let within = zip(means, ofClasses).map { deviation($0, $1) }.reduce(0, +) / Float(classes.count)
        let between = deviation(ofClasses, ofClasses.reduce(0, +) / Float(classes.count))
        // Means of 20 images from one distribution would differ by within/√20.
        #expect(between < within / 2, "\(between) \(within)")
    }

    private func deviation(_ values: [Float], _ mean: Float) -> Float {
        (values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Float(values.count)).squareRoot()
    }

    /// An image's grey values, 0 to 255.
    private func shades(_ kind: ImageClass, size: Int, item: Int) -> [Float] {
        var random = CounterRandom(seed: 1, .synthesis, item: item)
        let bytes = Scene.draw(kind, size: size, &random)
        return (0..<size * size).map { pixel in
            let (red, green, blue) = (Float(bytes[pixel * 3]), Float(bytes[pixel * 3 + 1]), Float(bytes[pixel * 3 + 2]))
            return 0.299 * red + 0.587 * green + 0.114 * blue
        }
    }
}
