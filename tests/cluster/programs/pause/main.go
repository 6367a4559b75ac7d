// Command pause is what a pod's first container runs: it owns the pod's namespaces, buries orphans, and ends when told to.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGINT, syscall.SIGTERM)
	orphans := make(chan os.Signal, 1)
	signal.Notify(orphans, syscall.SIGCHLD)
	for {
		select {
		case <-told:
			return
		case <-orphans:
			bury()
		}
	}
}

// bury waits for every child that has ended; several ends may have come as one signal.
func bury() {
	for {
		id, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if id <= 0 || err != nil {
			return
		}
	}
}
