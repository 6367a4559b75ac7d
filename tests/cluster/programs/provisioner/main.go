// Command provisioner makes the volumes of a cluster with one node: a claim of its storage class gets a folder, and the
// folder goes when the claim has gone; a claim that asks for more is given more. Once a second it looks at all claims and
// volumes; it remembers nothing itself.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"path/filepath"
	"time"

	core "k8s.io/api/core/v1"
	storage "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	// What its storage classes name, and how its volumes are known again.
	name          = "gamepipe.test/folder"
	provisionedBy = "pv.kubernetes.io/provisioned-by"
	// Set on a claim by the scheduler once it knows where the first pod with it will run.
	selectedNode = "volume.kubernetes.io/selected-node"
	pause        = time.Second
)

type provisioner struct {
	client *kubernetes.Clientset
	root   string
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "how to reach the API server")
	root := flag.String("root", "", "the folder of the volumes' folders")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		log.Fatal(err)
	}
	p := provisioner{kubernetes.NewForConfigOrDie(config), filepath.Clean(*root)}
	for ; ; time.Sleep(pause) {
		if err := p.look(context.Background()); err != nil {
			log.Print(err)
		}
	}
}

func (p *provisioner) look(ctx context.Context) error {
	classes, err := p.client.StorageV1().StorageClasses().List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	ours := map[string]storage.StorageClass{}
	for _, class := range classes.Items {
		if class.Provisioner == name {
			ours[class.Name] = class
		}
	}
	claims, err := p.client.CoreV1().PersistentVolumeClaims("").List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	for _, claim := range claims.Items {
		class, ok := ours[classOf(&claim)]
		var err error
		switch {
		case !ok:
		case isWaiting(&claim, &class):
			err = p.provision(ctx, &claim, &class)
		case wantsMore(&claim):
			err = p.grow(ctx, &claim)
		}
		if err != nil {
			log.Printf("claim %s/%s: %v", claim.Namespace, claim.Name, err)
		}
	}
	volumes, err := p.client.CoreV1().PersistentVolumes().List(ctx, meta.ListOptions{})
	if err != nil {
		return err
	}
	for _, volume := range volumes.Items {
		if isDone(&volume) {
			if err := p.remove(ctx, &volume); err != nil {
				log.Printf("volume %s: %v", volume.Name, err)
			}
		}
	}
	return nil
}

func classOf(claim *core.PersistentVolumeClaim) string {
	if claim.Spec.StorageClassName == nil {
		return ""
	}
	return *claim.Spec.StorageClassName
}

// isWaiting is true for a claim that has no volume, and whose pod has a node if the class waits for one.
func isWaiting(claim *core.PersistentVolumeClaim, class *storage.StorageClass) bool {
	waits := class.VolumeBindingMode != nil && *class.VolumeBindingMode == storage.VolumeBindingWaitForFirstConsumer
	return claim.Status.Phase == core.ClaimPending && claim.Spec.VolumeName == "" && claim.DeletionTimestamp == nil &&
		(!waits || claim.Annotations[selectedNode] != "")
}

// wantsMore is true for a claim that asks for more room than it was given.
func wantsMore(claim *core.PersistentVolumeClaim) bool {
	wanted := claim.Spec.Resources.Requests[core.ResourceStorage]
	given := claim.Status.Capacity[core.ResourceStorage]
	return claim.Status.Phase == core.ClaimBound && wanted.Cmp(given) > 0
}

// isDone is true for a volume of ours whose claim has gone and that nobody wants kept.
func isDone(volume *core.PersistentVolume) bool {
	return volume.Annotations[provisionedBy] == name && volume.Status.Phase == core.VolumeReleased &&
		volume.DeletionTimestamp == nil && volume.Spec.HostPath != nil &&
		volume.Spec.PersistentVolumeReclaimPolicy == core.PersistentVolumeReclaimDelete
}

func (p *provisioner) provision(ctx context.Context, claim *core.PersistentVolumeClaim, class *storage.StorageClass) error {
	// Named by the claim's id: a second look finds that the volume is there, and a new claim of the same name gets a new one.
	id := "pvc-" + string(claim.UID)
	folder := filepath.Join(p.root, id)
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return err
	}
	// Any user of a pod may write, whatever the mask of this process is.
	if err := os.Chmod(folder, 0o777); err != nil {
		return err
	}
	reclaim := core.PersistentVolumeReclaimDelete
	if class.ReclaimPolicy != nil {
		reclaim = *class.ReclaimPolicy
	}
	mustExist := core.HostPathDirectory
	volume := core.PersistentVolume{
		ObjectMeta: meta.ObjectMeta{Name: id, Annotations: map[string]string{provisionedBy: name}},
		Spec: core.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]},
			PersistentVolumeReclaimPolicy: reclaim,
			StorageClassName:              class.Name,
			VolumeMode:                    claim.Spec.VolumeMode,
			PersistentVolumeSource:        core.PersistentVolumeSource{HostPath: &core.HostPathVolumeSource{Path: folder, Type: &mustExist}},
			ClaimRef: &core.ObjectReference{Kind: "PersistentVolumeClaim", APIVersion: "v1", Namespace: claim.Namespace,
				Name: claim.Name, UID: claim.UID, ResourceVersion: claim.ResourceVersion},
		},
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, &volume, meta.CreateOptions{})
	if errors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

// grow says that there is as much room as is asked for. There is: folders have no limit.
func (p *provisioner) grow(ctx context.Context, claim *core.PersistentVolumeClaim) error {
	volume, err := p.client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, meta.GetOptions{})
	if err != nil {
		return err
	}
	room := core.ResourceList{core.ResourceStorage: claim.Spec.Resources.Requests[core.ResourceStorage]}
	volume.Spec.Capacity = room
	if _, err := p.client.CoreV1().PersistentVolumes().Update(ctx, volume, meta.UpdateOptions{}); err != nil {
		return err
	}
	claim.Status.Capacity = room
	_, err = p.client.CoreV1().PersistentVolumeClaims(claim.Namespace).UpdateStatus(ctx, claim, meta.UpdateOptions{})
	return err
}

func (p *provisioner) remove(ctx context.Context, volume *core.PersistentVolume) error {
	folder := filepath.Join(p.root, volume.Name)
	if volume.Spec.HostPath.Path != folder {
		log.Printf("volume %s: %s was not made here and stays", volume.Name, volume.Spec.HostPath.Path)
		return nil
	}
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, meta.DeleteOptions{})
	if errors.IsNotFound(err) {
		return nil
	}
	return err
}
