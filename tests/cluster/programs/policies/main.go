// Command policies enforces NetworkPolicies on a cluster with one node: whenever a pod, a namespace or a policy changes,
// it writes the rules for the packets between pods anew, as one nftables table.
//
// What comes from the node itself is never filtered (as Kubernetes has it: probes must arrive), nor is what goes to it,
// such as questions to its name server.
package main

import (
	"flag"
	"log"
	"os/exec"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// Changes come in flocks; this much later they are taken together.
const pause = 50 * time.Millisecond

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	factory := informers.NewSharedInformerFactory(kubernetes.NewForConfigOrDie(config), 0)
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	policies := factory.Networking().V1().NetworkPolicies()

	changed := make(chan struct{}, 1)
	note := func() {
		select {
		case changed <- struct{}{}:
		default: // one that was not taken yet covers this one
		}
	}
	handler := cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { note() },
		UpdateFunc: func(any, any) { note() },
		DeleteFunc: func(any) { note() },
	}
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer(), policies.Informer()} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			log.Fatal(err)
		}
	}
	never := make(chan struct{})
	factory.Start(never)
	factory.WaitForCacheSync(never)
	written := ""
	for range changed {
		time.Sleep(pause)
		var w world
		w.pods, err = pods.Lister().List(labels.Everything())
		if err != nil {
			log.Fatal(err)
		}
		w.policies, err = policies.Lister().List(labels.Everything())
		if err != nil {
			log.Fatal(err)
		}
		w.namespace = func(name string) labels.Set {
			namespace, err := namespaces.Lister().Get(name)
			if err != nil {
				return nil
			}
			return namespace.Labels
		}
		rules := w.rules()
		if rules == written {
			continue
		}
		if err := write(rules); err != nil {
			log.Printf("%v; the rules were:\n%s", err, rules)
			note()
			continue
		}
		written = rules
	}
}

// write replaces all rules at once: there is no moment without them.
func write(rules string) error {
	command := exec.Command("nft", "-f", "-")
	command.Stdin = strings.NewReader(rules)
	said, err := command.CombinedOutput()
	if err != nil {
		log.Printf("nft: %s", said)
	}
	return err
}
