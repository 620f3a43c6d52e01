import TensorStreams
import TestSupport
import Testing
import ToolSupport

struct JSONTests {
    @Test(arguments: [
        #"{"a":[1,-2.5,true,false,null,"x"],"b":{}}"#, "0", "-0.5", #""""#, "[]", "[[],[{}]]", #"{"b":1,"a":2}"#, "9223372036854775807",
        #""\"\\\n\t\u0001é😀""#,
    ]) func `text without spaces comes back as it was`(text: String) throws {
        #expect(try JSON(parsing: text).text == text)
    }

    @Test func `escapes, spaces and exponents are understood`() throws {
        let json = try JSON(parsing: " { \"a\\u00e9\\ud83d\\ude00\\/\" :\t[ 1e3 , 2E-1,\r\n 10 ] } ")
        #expect(json == ["aé😀/": [1000.0, 0.2, 10]])
        #expect(json["aé😀/"]?.asArray?.map(\.asNumber) == [1000, 0.2, 10])
    }

    @Test(arguments: [
        ("", 0), ("{", 1), ("[1,]", 3), ("[1 2]", 3), (#"{"a":1,}"#, 7), (#"{"a" 1}"#, 5), ("{a:1}", 1), ("01", 1), ("1.", 2), ("-", 1), ("+1", 0), (".5", 0),
        ("1e", 2), ("nul", 0), ("tru e", 0), ("NaN", 0), (#""a"#, 2), ("\"\n\"", 1), (#""\x""#, 2), (#""\ud800""#, 7), (#""\udc00""#, 7), (#""\u00g0""#, 5),
        ("1 2", 2), ("[]]", 2), (#"{"a":1,"a":2}"#, 7), ("1e999", 0), ("'a'", 0), ("[1//x\n]", 2),
    ]) func `what is no JSON is refused at its byte`(text: String, offset: Int) {
        let failure = TestSupport.failure { _ = try JSON(parsing: text) }
        #expect(failure?.kind == .data)
        #expect(failure?.location == "byte \(offset)")
    }

    @Test func `bytes that are not UTF-8 are refused`() {
        #expect(failure { _ = try JSON(parsing: [0x22, 0xFF, 0x22]) }?.kind == .data)
        #expect(failure { _ = try JSON(parsing: [0x22, 0xC0, 0x80, 0x22]) }?.kind == .data)
    }

    @Test func `nesting ends at the depth allowed`() throws {
        _ = try JSON(parsing: String(repeating: "[", count: 64) + String(repeating: "]", count: 64))
        #expect(failure { _ = try JSON(parsing: String(repeating: "[", count: 65) + String(repeating: "]", count: 65)) }?.kind == .data)
    }

    @Test func `numbers that JSON cannot say become null`() {
        #expect(JSON.array([.number(.nan), .number(.infinity), .number(0.1), .number(1e300)]).text == "[null,null,0.1,1e+300]")
    }

    @Test func `members keep their order, can be replaced and removed`() {
        var object: JSON.Object = ["b": 1, "a": 2, "c": 3]
        object["a"] = "new"
        object["b"] = nil
        object["d"] = 4
        #expect(JSON.object(object).text == #"{"a":"new","c":3,"d":4}"#)
        #expect(object["c"] == 3)
    }
}
