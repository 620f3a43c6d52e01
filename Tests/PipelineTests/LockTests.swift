import Foundation
import TestSupport
import Testing

/// Other holders of a run's lock.
struct LockTests {
    /// Starts `line` while the program `hold.sh` holds the run's lock; `hold.sh` goes on once the messages of `line`,
    /// in `said`, contain `words`.
    private func held(_ place: Workplace, _ line: String, until words: String) throws -> Workplace.Result {
        try place.write("until [ -e go ]; do sleep 0.02; done; touch survived\n", to: "hold.sh")
        return try place.run("""
            flock runs/a/lock sh hold.sh & holder=$!
            while flock -n runs/a/lock true; do sleep 0.02; done
            { \(line); } 2> said & make=$!
            for i in {1..3000}; do grep -q '\(words)' said && break; kill -0 $make 2> /dev/null || break; sleep 0.02; done
            touch go; wait $make; status=$?; wait $holder; cat said >&2; exit $status
            """)
    }

    @Test func `whoever holds the lock and was not started by a make of the run is waited for and named, not ended`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a") + " EPOCHS=1").status == 0)
        let result = try held(place, place.make("a") + " EPOCHS=1", until: "waits until")
        #expect(result.status == 0 && place.exists("survived") && place.toDo(result) == "nothing: all is done", "\(result.error)")
        #expect(result.lines.contains { $0.contains("runs/a: its lock is held by flock (process ") && $0.hasSuffix("; waiting until it has ended") }, "\(result.error)")
    }

    @Test func `a make that was started by who holds the lock does not wait for it`() throws {
        let place = try Workplace.images()
        try #require(try place.run(place.make("a") + " EPOCHS=1").status == 0)
        let result = try place.run("flock runs/a/lock \(place.make("a"))")
        #expect(result.status == 2 && result.error.contains("runs/a/lock: is held by flock (process "), "\(result.error)")
        #expect(result.error.contains("which started this make, so make would wait forever; leave it out"), "\(result.error)")
    }

    @Test func `a second make of a run waits for the first, and both end in the same table`() throws {
        let place = try Workplace.images()
        try place.write("[ -z \"$SEED_LOSS_TRIAL\" ] || exec queue-loss -q; cd \"${0%/*}\"; touch held; while [ ! -e go ]; do sleep 0.02; done; exec queue-loss -q --queue-size 32\n", to: "hold.sh")
        let make = { (name: String) in place.make(name, #"DATA=$PWD/pictures/train TEST=$PWD/pictures/test STUDENT_OPTIONS="--loss 'sh $PWD/hold.sh'""#) }
        // The first cannot end before the second has said that it waits.
        let both = try place.run("""
            { \(make("a")); } > first 2>&1 & first=$!
            for i in {1..6000}; do [ -e held ] && break; sleep 0.02; done
            { \(make("a")); } 2> said & second=$!
            for i in {1..3000}; do grep -q 'waits until' said && break; sleep 0.02; done
            touch go; wait $first && wait $second; status=$?; cat said >&2; exit $status
            """)
        #expect(both.status == 0 && both.output.contains("student after"), "\(both.error)")
        #expect(both.error.contains("runs/a: another make is working on it; waiting until it has ended"), "\(both.error)")
        #expect(place.toDo(both) == "nothing: all is done", "\(both.error)")
        try #require(try place.run(make("b")).status == 0)
        #expect(try place.results("a") == place.results("b"))
    }
}
