// Command guest is a container for tests: a web server that says and does what a test wants to know of its pod.
//
//	/             the pod's name, and the variable GREETING
//	/get?url=U    what U answers, asked from within the pod
//	/lookup?name= the addresses of a name, as the pod resolves it
//	/file?path=P  a file; with &write=TEXT it is written first
//	/ready, /live 200, or 503 after ?set=false
//	/exit?code=N  ends the process
//
// `guest say WORDS` prints them and ends.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// How long another server may take to answer: short, so that a test that asks in vain can ask again.
const patience = 2 * time.Second

func main() {
	if len(os.Args) > 2 && os.Args[1] == "say" {
		fmt.Println(strings.Join(os.Args[2:], " "))
		return
	}
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, name, os.Getenv("GREETING"))
	})
	http.HandleFunc("/get", get)
	http.HandleFunc("/lookup", lookup)
	http.HandleFunc("/file", file)
	http.HandleFunc("/exit", exit)
	http.HandleFunc("/ready", probe(new(atomic.Bool)))
	http.HandleFunc("/live", probe(new(atomic.Bool)))
	log.Printf("%s listens", name)
	log.Fatal(http.ListenAndServe(":8080", nil))
}

// probe answers 200 until it is told to fail.
func probe(fails *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		switch value := r.FormValue("set"); {
		case value != "":
			fails.Store(value == "false")
		case fails.Load():
			http.Error(w, "told to fail", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

func get(w http.ResponseWriter, r *http.Request) {
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(r.FormValue("url"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	defer answer.Body.Close()
	w.WriteHeader(answer.StatusCode)
	io.Copy(w, answer.Body)
}

func lookup(w http.ResponseWriter, r *http.Request) {
	addresses, err := net.LookupHost(r.FormValue("name"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	fmt.Fprintln(w, strings.Join(addresses, " "))
}

func file(w http.ResponseWriter, r *http.Request) {
	path := r.FormValue("path")
	if text := r.FormValue("write"); text != "" {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	w.Write(text)
}

func exit(_ http.ResponseWriter, r *http.Request) {
	code, err := strconv.Atoi(r.FormValue("code"))
	if err != nil {
		code = 1
	}
	os.Exit(code)
}
