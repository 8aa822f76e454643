// The Go side of `benches/cesql.rs`: the CESQL engine that Knative uses. It reads lines from its
// standard input, alternating an event in the JSON format and an expression, evaluates each pair a
// number of times (the one argument) and prints its value and the nanoseconds that an evaluation kept
// the thread on its core.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"github.com/cloudevents/sdk-go/sql/v2/parser"
	cloudevents "github.com/cloudevents/sdk-go/v2"
)

func main() {
	runtime.LockOSThread()
	rounds, err := strconv.Atoi(os.Args[1])
	check(err)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var event cloudevents.Event
		check(json.Unmarshal(lines.Bytes(), &event))
		lines.Scan()
		expression, err := parser.Parse(lines.Text())
		check(err)
		value, _ := expression.Evaluate(event)
		begin := worked()
		for range rounds {
			value, _ = expression.Evaluate(event)
		}
		fmt.Println(value, float64(worked()-begin)/float64(rounds))
	}
}

// Nanoseconds that this thread has run, as in `load/core_time.rs`.
func worked() int64 {
	runtime.Gosched()
	figures, err := os.ReadFile("/proc/thread-self/schedstat")
	check(err)
	worked, err := strconv.ParseInt(strings.Fields(string(figures))[0], 10, 64)
	check(err)
	return worked
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
