import { defineSite } from 'bofh';

// The settings of your site: bofh reads /etc/bofh/site-specific.ts. "bofh init" writes this file for your host. Or change here
// what differs on your site. Every key may be left out.
export default defineSite({
  // The volume group in which guests get their disks.
  // volumeGroup: 'vg0',

  // Directories with guest configurations; bofh writes new ones to the first directory.
  guestConfigDirs: ['/etc/xen'],

  // How the logical volumes of a guest are named.
  diskNaming: { root: '{name}-root', swap: '{name}-swap' },

  // Guests that start-all starts first, in this order; the others follow by name.
  startOrder: [],

  // Kernel and ramdisk of a paravirtualized guest; without them, those that this host runs.
  // guestKernel: '/boot/vmlinuz-6.1.0-0-amd64',
  // guestRamdisk: '/boot/initrd.img-6.1.0-0-amd64',

  // Bridge of a guest's network interface; without it a guest has none.
  // bridge: 'xenbr0',

  // Who may log in to new guests as root (--ssh-key), and the network of those with a static address (--ip).
  // guestSshKeys: ['/root/.ssh/id_ed25519.pub'],
  // guestGateway: ['192.0.2.1'],
  // guestDns: ['192.0.2.53'],

  // Where "bofh vm base create" gets Debian from, and what it installs in addition to openssh-server and a kernel.
  // debianMirror: 'http://deb.debian.org/debian',
  // debianPackages: ['vim'],

  // Other hosts, for --host: how ssh reaches each. One that ssh knows by itself (~/.ssh/config) need not be here.
  // hosts: { web2: { destination: 'root@10.0.0.2', options: { Port: '2222' } } },
});
