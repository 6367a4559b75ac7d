// Command relay lets tests reach a cluster's network namespace, which has no link to the outside: a socket in the file
// system can be reached from any namespace. A client of the socket sends `HOST:PORT` and a line feed; from then on it
// speaks to that address.
package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"time"
)

// How long an address may take to accept a connection.
const patience = 10 * time.Second

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: relay SOCKET")
	}
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	for {
		client, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go serve(client.(*net.UnixConn))
	}
}

func serve(client *net.UnixConn) {
	defer client.Close()
	reader := bufio.NewReader(client)
	line, err := reader.ReadString('\n')
	if err != nil {
		return
	}
	address := strings.TrimSpace(line)
	connection, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		log.Printf("%s: %v", address, err)
		return
	}
	server := connection.(*net.TCPConn)
	defer server.Close()
	go func() {
		io.Copy(server, reader)
		server.CloseWrite()
	}()
	io.Copy(client, server)
	client.CloseWrite()
}
