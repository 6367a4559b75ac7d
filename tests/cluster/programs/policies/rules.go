package main

import (
	"fmt"
	"log"
	"slices"
	"strings"

	core "k8s.io/api/core/v1"
	network "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// world is what the rules follow from.
type world struct {
	pods      []*core.Pod
	policies  []*network.NetworkPolicy
	namespace func(name string) labels.Set
}

// peer is one side of a rule: who, in nftables' words without the direction; empty means anybody.
type peer string

// rules gives the table. Each isolated pod has a chain for what comes and one for what goes: a packet returns from it if a
// policy allows it, and is dropped at its end. An answer to an allowed packet always passes.
func (w *world) rules() string {
	var chains strings.Builder
	var incoming, outgoing []string
	for _, pod := range w.live() {
		address := pod.Status.PodIP
		chain := strings.NewReplacer(".", "-", ":", "-").Replace(address)
		if lines, isolated := w.ingress(pod); isolated {
			fmt.Fprintf(&chains, "  chain to-%s {\n%s    drop\n  }\n", chain, lines)
			incoming = append(incoming, fmt.Sprintf("%s : jump to-%s", address, chain))
		}
		if lines, isolated := w.egress(pod); isolated {
			fmt.Fprintf(&chains, "  chain from-%s {\n%s    drop\n  }\n", chain, lines)
			outgoing = append(outgoing, fmt.Sprintf("%s : jump from-%s", address, chain))
		}
	}
	var text strings.Builder
	text.WriteString("table ip policies\ndelete table ip policies\ntable ip policies {\n")
	text.WriteString(chains.String())
	text.WriteString("  chain forward {\n    type filter hook forward priority filter\n    ct state established,related accept\n")
	if len(outgoing) > 0 {
		fmt.Fprintf(&text, "    ip saddr vmap { %s }\n", strings.Join(outgoing, ", "))
	}
	if len(incoming) > 0 {
		fmt.Fprintf(&text, "    ip daddr vmap { %s }\n", strings.Join(incoming, ", "))
	}
	text.WriteString("  }\n}\n")
	return text.String()
}

// live gives the pods that have an address of their own, in an order that does not change.
func (w *world) live() []*core.Pod {
	var live []*core.Pod
	for _, pod := range w.pods {
		over := pod.Status.Phase == core.PodSucceeded || pod.Status.Phase == core.PodFailed
		if pod.Status.PodIP != "" && !pod.Spec.HostNetwork && !over {
			live = append(live, pod)
		}
	}
	slices.SortFunc(live, func(a, b *core.Pod) int { return strings.Compare(a.Status.PodIP, b.Status.PodIP) })
	return live
}

func (w *world) ingress(pod *core.Pod) (lines string, isolated bool) {
	for _, policy := range w.of(pod, network.PolicyTypeIngress) {
		isolated = true
		for _, rule := range policy.Spec.Ingress {
			for _, peer := range w.peers(policy.Namespace, rule.From, "saddr") {
				for _, port := range ports(rule.Ports, pod) {
					lines += line(peer, port)
				}
			}
		}
	}
	return lines, isolated
}

func (w *world) egress(pod *core.Pod) (lines string, isolated bool) {
	for _, policy := range w.of(pod, network.PolicyTypeEgress) {
		isolated = true
		for _, rule := range policy.Spec.Egress {
			for _, peer := range w.peers(policy.Namespace, rule.To, "daddr") {
				for _, port := range ports(rule.Ports, nil) {
					lines += line(peer, port)
				}
			}
		}
	}
	return lines, isolated
}

func line(peer peer, port string) string {
	return "    " + strings.Join(strings.Fields(string(peer)+" "+port+" return"), " ") + "\n"
}

// of gives the policies that select a pod in one direction, in an order that does not change.
func (w *world) of(pod *core.Pod, direction network.PolicyType) []*network.NetworkPolicy {
	var found []*network.NetworkPolicy
	for _, policy := range w.policies {
		if policy.Namespace == pod.Namespace && matches(&policy.Spec.PodSelector, pod.Labels) &&
			slices.Contains(policy.Spec.PolicyTypes, direction) {
			found = append(found, policy)
		}
	}
	slices.SortFunc(found, func(a, b *network.NetworkPolicy) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// peers gives whom a rule names. A rule that names nobody means everybody; one whose selectors find nobody means nobody.
func (w *world) peers(namespace string, named []network.NetworkPolicyPeer, side string) []peer {
	if len(named) == 0 {
		return []peer{""}
	}
	var found []peer
	var addresses []string
	for _, one := range named {
		if one.IPBlock != nil {
			text := fmt.Sprintf("ip %s %s", side, one.IPBlock.CIDR)
			if len(one.IPBlock.Except) > 0 {
				text += fmt.Sprintf(" ip %s != { %s }", side, strings.Join(one.IPBlock.Except, ", "))
			}
			found = append(found, peer(text))
			continue
		}
		for _, pod := range w.live() {
			if w.selects(namespace, &one, pod) && !slices.Contains(addresses, pod.Status.PodIP) {
				addresses = append(addresses, pod.Status.PodIP)
			}
		}
	}
	if len(addresses) > 0 {
		found = append(found, peer(fmt.Sprintf("ip %s { %s }", side, strings.Join(addresses, ", "))))
	}
	return found
}

func (w *world) selects(namespace string, one *network.NetworkPolicyPeer, pod *core.Pod) bool {
	if one.NamespaceSelector == nil {
		if pod.Namespace != namespace {
			return false
		}
	} else if !matches(one.NamespaceSelector, w.namespace(pod.Namespace)) {
		return false
	}
	return one.PodSelector == nil || matches(one.PodSelector, pod.Labels)
}

func matches(selector *meta.LabelSelector, set labels.Set) bool {
	compiled, err := meta.LabelSelectorAsSelector(selector)
	if err != nil {
		log.Printf("%v: %v", selector, err)
		return false
	}
	return compiled.Matches(set)
}

// ports gives what a rule says of ports, in nftables' words; none said means all. A port's name is one of the pod that is
// asked; of a rule for what goes out names are not known here, and open nothing.
func ports(named []network.NetworkPolicyPort, asked *core.Pod) []string {
	if len(named) == 0 {
		return []string{""}
	}
	var found []string
	for _, one := range named {
		protocol := "tcp"
		if one.Protocol != nil {
			protocol = strings.ToLower(string(*one.Protocol))
		}
		switch {
		case one.Port == nil:
			found = append(found, "meta l4proto "+protocol)
		case one.Port.Type == intstr.String:
			for _, number := range numbers(asked, one.Port.StrVal) {
				found = append(found, fmt.Sprintf("%s dport %d", protocol, number))
			}
		case one.EndPort != nil:
			found = append(found, fmt.Sprintf("%s dport %d-%d", protocol, one.Port.IntVal, *one.EndPort))
		default:
			found = append(found, fmt.Sprintf("%s dport %d", protocol, one.Port.IntVal))
		}
	}
	return found
}

func numbers(pod *core.Pod, name string) []int32 {
	var found []int32
	if pod == nil {
		return found
	}
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			if port.Name == name {
				found = append(found, port.ContainerPort)
			}
		}
	}
	return found
}
