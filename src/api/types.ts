/** Every type that a function of the public API takes or returns, under one name at the top level. */
import type { OperationMethods } from '../operations.ts';
import type { Tx } from './atomic.ts';
export type { Ensured } from '../atomic/ensure.ts';
/** The handle that a layer gets (`block.registerLayer`): `Tx` without its recipes. */
export type { EnsureMethods, Tx as LayerTx } from '../operations.ts';
export type { ResizeRequest as BlockResizeRequest } from './block.ts';
export type { Rotated as RotatedSnapshots } from './btrfs-rotation.ts';
export type { BaseStructure } from './btrfs-structure.ts';
export type { StopOptions as GuestStopOptions, WaitOptions as GuestWaitOptions } from './guest-power.ts';
export type { Domu as ConfiguredGuest, PowerRow as StartedGuest } from './guests.ts';
export type { HostMap, MapDevice } from './map.ts';
export type { MountedRequest } from './mount.ts';
export type { MountedVm, ResizedVm, UnmountedVm } from './vm.ts';
export type { GuestDetails, GuestRow } from './xen.ts';
export type { Changed, ContentSpec, Left, Way } from '../atomic/contract.ts';
export type { Signals } from '../atomic/engine.ts';
export type { Journalled } from '../atomic/operation.ts';
export type { Recovered } from '../atomic/recovery/recover.ts';
export type { Schema, SchemaIssue, SchemaResult } from '../atomic/schema.ts';
export type { Access, Answer, Command, Pipeline } from '../command/command.ts';
export type { Download, FileStat, HostFacts } from '../command/host.ts';
export type { KeyInput } from '../command/key-ref.ts';
export type { Callable, Reverse } from '../atomic/sequence/reverse.ts';
export type { ArrayFacts, DeviceKind, GraphDevice } from '../blockdevice/graph.ts';
export type {
  Layer as StackLayer,
  LayerAt as StackLayerAt,
  Limits as StackLayerLimits,
  May as StackLayerMay,
  ResizeTo,
  Resized as ResizedLayer,
  LayerFacts as StackLayerFacts,
} from '../blockdevice/layer.ts';
export type { LoopDevice } from '../blockdevice/loop/schema.ts';
export type { MountEntry } from '../blockdevice/mountinfo.ts';
export type { PartitionsOf } from '../blockdevice/partitions/reads.ts';
export type { NewSubvolume } from '../btrfs/operations/new-subvolume.ts';
export type { Quota as BtrfsQuota } from '../btrfs/quota.ts';
export type { RotatedSnapshot } from '../btrfs/rotation.ts';
export type {
  Balance as BtrfsBalance,
  Device as BtrfsDevice,
  DeviceShare as BtrfsDeviceShare,
  Qgroup,
  QuotaState as BtrfsQuotaState,
  Scrub as BtrfsScrub,
  SpaceOf as BtrfsSpace,
  Subvolume,
  SubvolumeRow,
  Usage as BtrfsUsage,
} from '../btrfs/schema.ts';
export type { PrintedPath } from '../btrfs/text.ts';
export type { LocalHost, Progress, ReadHost } from '../command/host.ts';
export type { OpenDevice as OpenLuksDevice } from '../crypt/index.ts';
export type { LuksDevice, LuksScan, UnreadableDevice } from '../crypt/reads.ts';
export type {
  KeySlot as LuksKeySlot,
  LuksHeader,
  Mapping as LuksMapping,
  MappingStatus as LuksMappingStatus,
  Reencryption as LuksReencryption,
} from '../crypt/schema.ts';
export type {
  Configured as DrbdConfiguration,
  ConfiguredConnection as DrbdConfiguredConnection,
  ConfiguredHost as DrbdConfiguredHost,
  Address as DrbdAddress,
  ConfiguredVolume as DrbdConfiguredVolume,
} from '../drbd/config.ts';
export type { Memory as DrbdMemory } from '../drbd/memory.ts';
export type { Next as DrbdNext } from '../drbd/next.ts';
export type { Finding as DrbdFinding } from '../drbd/problems.ts';
export type { ProcDevice as DrbdProcDevice, ProcStatus as DrbdProcStatus } from '../drbd/proc.ts';
export type { Resource as DrbdResource } from '../drbd/reads.ts';
export type { MetadataShape as DrbdMetadataShape } from '../drbd/size.ts';
export type {
  Connection as DrbdConnection,
  ResourceState as DrbdResourceState,
  VolumeState as DrbdVolumeState,
  PeerVolume as DrbdPeerVolume,
} from '../drbd/state.ts';
export type { WaitFor as DrbdWaitFor } from '../drbd/wait.ts';
export type { FilesystemCheck } from '../filesystem/check.ts';
export type { Checkable as CheckableType } from '../filesystem/commands/check.ts';
export type { FilesystemDetails } from '../filesystem/info.ts';
export type { Measurable as MeasurableType } from '../filesystem/measure.ts';
export type { LocalHostOptions } from '../host/local.ts';
export type { HostEvent } from '../host/setting.ts';
export type { SshHostOptions } from '../host/ssh/host.ts';
export type { MetadataBackup } from '../lvm/backup.ts';
export type { LogicalVolume, PhysicalVolume, VolumeGroup } from '../lvm/objects.ts';
export type { HeldMount } from '../mount/scoped.ts';
export type { CrypttabLine } from '../mount/tab/crypttab.ts';
export type { Table as MountTable, UnreadLine } from '../mount/tab/fields.ts';
export type { FstabLine } from '../mount/tab/fstab.ts';
export type { RootTree, TreeMount } from '../mount/tree.ts';
export type {
  Address as NetworkAddress,
  Counters as InterfaceCounters,
  Interface as NetworkInterface,
} from '../network/commands.ts';
export type { ConvertedReplica } from '../replica/convert.ts';
export type { CreatedReplica } from '../replica/create.ts';
export type { GrowPlan as DrbdGrowPlan } from '../replica/grow.ts';
export type { Member as DrbdMember } from '../replica/hosts.ts';
export type { RemovePlan as DrbdRemovePlan } from '../replica/remove.ts';
export type { ReplacedPeer } from '../replica/replace.ts';
export type {
  ConvertRequest as DrbdConvertRequest,
  CreateRequest as DrbdCreateRequest,
  DemoteRequest as DrbdDemoteRequest,
  GrowRequest as DrbdGrowRequest,
  PromoteRequest as DrbdPromoteRequest,
  RemoveRequest as DrbdRemoveRequest,
  ReplaceRequest as DrbdReplaceRequest,
} from '../replica/request.ts';
export type { Origin as SettingOrigin } from '../site.ts';
export type { StackResized } from '../stack/resize.ts';
export type { StackContent, StackDevice, StackTree, StackUse } from '../stack/schema.ts';
export type { BaseRequest, DebianBase, GuestBase } from '../vm/bases.ts';
export type { SavedVm } from '../vm/backup.ts';
export type {
  GuestSnapshot,
  GuestSnapshots,
  SnapshotRemovalPlan,
  SnapshotRestorePlan,
} from '../vm/snapshots.ts';
export type { Backups as VmBackups, Verified as VmVerified } from '../vm/backups.ts';
export type { ClonedVm } from '../vm/clone.ts';
export type { CreatedVm } from '../vm/create.ts';
export type { CreateRequest as VmCreateRequest } from '../vm/create-request.ts';
export type { Backup as VmBackupManifest } from '../vm/manifest.ts';
export type { RestoredDisk, RestoredVm } from '../vm/restore.ts';
export type { MovedVm } from '../vm/move.ts';
export type { ProvisionedVm } from '../vm/provision.ts';
export type { RemovePlan as VmRemovePlan } from '../vm/remove.ts';
export type { RenamePlan as VmRenamePlan } from '../vm/rename.ts';
export type { ReplicasPlan as VmReplicasPlan } from '../vm/replicas.ts';
export type {
  BackupOptions as VmBackupOptions,
  CloneOptions as VmCloneOptions,
  MountOptions as VmMountOptions,
  MoveRequest as VmMoveRequest,
  ProvisionOptions as VmProvisionOptions,
  RemoveRequest as VmRemoveRequest,
  RenameOptions as VmRenameOptions,
  RestoreOptions as VmRestoreOptions,
  SetRequest as VmSetRequest,
} from '../vm/request.ts';
export type { Attachment, GuestDiskRow, GuestInterfaceRow } from '../vm/attached.ts';
export type { CreatedGuestDisk, RemovedGuestDisk } from './guest-disks.ts';
export type { GuestDiskChange, GuestDiskRequest } from '../vm/guest-disks.ts';
export type { GuestInterfaceChange, GuestInterfaceRequest } from '../vm/guest-interfaces.ts';
export type { SetRow as VmSetRow } from '../vm/set.ts';
export type { StartOptions as GuestStartOptions } from '../vm/start.ts';
export type { Disk as GuestDisk } from '../xen/config/disk.ts';
export type { GuestConfig } from '../xen/config/guest.ts';
export type { Vif as GuestInterface } from '../xen/config/vif.ts';
export type { ConfigProblem } from '../xen/guests.ts';

type Methods = Pick<Tx, keyof OperationMethods | 'vm'>;

/**
 * The argument of a method of `tx`, recipes included: `OperationArgs<'lvm', 'createLv'>`. Of several
 * arguments, the first.
 */
export type OperationArgs<N extends keyof Methods, M extends keyof Methods[N]> = Methods[N][M] extends (
  args: infer A,
  ...others: never[]
) => unknown
  ? A
  : never;

/** The result of a method of `tx`, recipes included: `OperationValue<'lvm', 'createLv'>`. */
export type OperationValue<N extends keyof Methods, M extends keyof Methods[N]> = Methods[N][M] extends (
  ...args: never[]
) => Promise<infer V>
  ? V
  : never;
