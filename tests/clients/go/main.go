// The Go SDK of CloudEvents as a producer: sends the events of a file in one mode.
//
// Usage: events URL MODE SOURCE TOKEN FILE, where MODE is binary, structured or batch. Prints what
// became of each event as a line of JSON.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"

	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/event"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
	"github.com/cloudevents/sdk-go/v2/types"
)

type described struct {
	Attributes map[string]any `json:"attributes"`
	JSON       any            `json:"json"`
	Text       *string        `json:"text"`
	Base64     *string        `json:"base64"`
}

func main() {
	log.SetFlags(0)
	url, mode, source, token, file := os.Args[1], os.Args[2], os.Args[3], os.Args[4], os.Args[5]
	content, err := os.ReadFile(file)
	check(err)
	var all []described
	check(json.Unmarshal(content, &all))
	events := make([]event.Event, 0, len(all))
	for _, one := range all {
		events = append(events, build(one, source))
	}
	if mode == "batch" {
		request, err := cehttp.NewHTTPRequestFromEvents(context.Background(), url, events)
		check(err)
		report(events, send(request, token))
		return
	}
	for _, one := range events {
		request, err := http.NewRequest(http.MethodPost, url, nil)
		check(err)
		way := binding.WithForceBinary(context.Background())
		if mode == "structured" {
			way = binding.WithForceStructured(context.Background())
		}
		check(cehttp.WriteRequest(way, binding.ToMessage(&one), request))
		report([]event.Event{one}, send(request, token))
	}
}

func build(one described, source string) event.Event {
	built := event.New()
	built.SetSource(source)
	for name, value := range one.Attributes {
		switch name {
		case "id":
			built.SetID(value.(string))
		case "type":
			built.SetType(value.(string))
		case "subject":
			built.SetSubject(value.(string))
		case "dataschema":
			built.SetDataSchema(value.(string))
		case "datacontenttype":
			built.SetDataContentType(value.(string))
		case "time":
			time, err := types.ParseTime(value.(string))
			check(err)
			built.SetTime(time)
		default:
			// Numbers in JSON are floating, those of events are integers.
			if number, ok := value.(float64); ok {
				value = int32(number)
			}
			built.SetExtension(name, value)
		}
	}
	switch {
	case one.JSON != nil:
		data, err := json.Marshal(one.JSON)
		check(err)
		built.DataEncoded = data
	case one.Text != nil:
		// Given to SetData, text would be written as XML where the media type is that.
		built.DataEncoded = []byte(*one.Text)
	case one.Base64 != nil:
		data, err := base64.StdEncoding.DecodeString(*one.Base64)
		check(err)
		check(built.SetData(built.DataContentType(), data))
	}
	check(built.Validate())
	return built
}

func send(request *http.Request, token string) int {
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	check(err)
	defer answer.Body.Close()
	return answer.StatusCode
}

func report(events []event.Event, status int) {
	for _, one := range events {
		line, err := json.Marshal(map[string]any{"id": one.ID(), "status": status})
		check(err)
		fmt.Println(string(line))
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
