/**
 * The E-model in its reduced form (ITU-T G.107): R = 93.2 − Id − Ie,eff, and MOS from R.
 * A passive tap does not know the mouth-to-ear delay, so Id is 0 and the result is a listening quality, MOS-LQ.
 */
export interface Impairment {
  readonly ie: number
  readonly bpl: number
  /** Packet loss in percent. */
  readonly lossPercent: number
  /** At least 1: random loss. */
  readonly burstRatio: number
}

/** G.107 7.5: Ie,eff = Ie + (95 − Ie) × Ppl / (Ppl / BurstR + Bpl). */
export const effectiveImpairment = ({ ie, bpl, lossPercent, burstRatio }: Impairment): number =>
  ie + (95 - ie) * (lossPercent / (lossPercent / burstRatio + bpl))

/** R with all of G.107's defaults and no delay. */
export const ratingLq = (impairment: Impairment): number => 93.2 - effectiveImpairment(impairment)

/** G.107 annex B. The cubic dips below 1 between R = 0 and about 6.5: clamped. */
export function mosOfRating(r: number): number {
  if (r <= 0) return 1
  if (r >= 100) return 4.5
  return Math.max(1, 1 + 0.035 * r + 7e-6 * r * (r - 60) * (100 - r))
}

export const mosLq = (impairment: Impairment): number => mosOfRating(ratingLq(impairment))
