import type { AdapterDescription, AdapterIdentity } from '../adapter.ts';
import { Choice, type Reason } from './choice.ts';
import { loadedChoices, tuningFile, type TuningFile } from './tuning-file.ts';

/** One line of what was chosen. */
export interface ChoiceReport {
  /** The kind of work. */
  readonly key: string;
  /** The kernel. */
  readonly name: string;
  readonly reason: Reason;
  /** The reason in a sentence. */
  readonly because: string;
  /** Median picoseconds an arithmetic operation of each kernel that was measured. */
  readonly picoseconds: Readonly<Record<string, number>>;
}

/** All choices of a device. */
export class Choices {
  readonly #all = new Map<string, Choice>();
  readonly #adapter: AdapterIdentity;
  readonly #limits: GPUSupportedLimits;
  readonly #isOpen: boolean;
  readonly #because: Readonly<Record<Reason, string>>;
  readonly #loaded: ReadonlyMap<string, string>;
  /** Why a tuning file does not hold here; null where there is none, or it holds. */
  readonly refusal: string | null;

  /** `isOpen`: what no file decides is measured. `because`: why the defaults are as they are. */
  constructor(
    adapter: AdapterDescription,
    limits: GPUSupportedLimits,
    { isOpen, because, tuned }: { isOpen: boolean; because: string; tuned: TuningFile | undefined },
  ) {
    const { vendor, architecture, device } = adapter;
    this.#adapter = { vendor, architecture, device };
    this.#limits = limits;
    this.#isOpen = isOpen;
    this.#because = {
      default: because,
      measured: 'the least median time on this device',
      loaded: 'from the tuning file',
    };
    const loaded = tuned === undefined ? new Map<string, string>() : loadedChoices(tuned, this.#adapter, limits);
    this.refusal = typeof loaded === 'string' ? loaded : null;
    this.#loaded = typeof loaded === 'string' ? new Map() : loaded;
  }

  /** The choice for a kind of work among kernels of these names, the default first. */
  of(key: string, names: readonly string[]): Choice {
    const known = this.#all.get(key);
    if (known) return known;
    const choice = new Choice(key, names, this.#isOpen);
    const loaded = this.#loaded.get(key);
    if (loaded !== undefined) choice.load(loaded);
    this.#all.set(key, choice);
    return choice;
  }

  /** How many wait for measurements. */
  get undecided(): number {
    return [...this.#all.values()].filter((c) => !c.isDecided).length;
  }

  get report(): ChoiceReport[] {
    return [...this.#all.values()].map(({ key, report }) => ({
      key,
      ...report,
      because: this.#because[report.reason],
    }));
  }

  /** What was measured here or loaded, as a file. */
  get file(): TuningFile {
    const known = this.report.filter(({ reason }) => reason !== 'default');
    const choices = { ...Object.fromEntries(this.#loaded), ...Object.fromEntries(known.map((c) => [c.key, c.name])) };
    return tuningFile(this.#adapter, this.#limits, choices);
  }
}
