/**
 * Numbers as they are shown. A minus is U+2212; what is copied into a command is made by `plain`.
 */

const MINUS = "\u2212";
const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/**
 * A number in as few digits as say what it is.
 * @param {number} value
 * @param {number} digits
 * @returns {string}
 */
export function number(value, digits = 4) {
  if (Number.isNaN(value)) return "?";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : MINUS + "∞";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return power(value, digits - 1);
  const short = String(Number(value.toPrecision(digits)));
  return short.replace("-", MINUS);
}

/**
 * A number of fixed decimals, so that it does not jump as it changes.
 * @param {number} value
 * @param {number} decimals
 */
export function fixed(value, decimals) {
  return Number.isFinite(value) ? value.toFixed(decimals).replace(/^-(?=0\.?0*$)/, "").replace("-", MINUS) : number(value);
}

/**
 * A whole number with its thousands apart.
 * @param {number} value
 */
export function count(value) {
  return Math.round(value).toLocaleString("en-US");
}

/**
 * Beta or T, with its sign where it has one.
 * @param {number} value
 */
export function signed(value) {
  return (value > 0 && Number.isFinite(value) ? "+" : value === Infinity ? "+" : "") + number(value);
}

/**
 * A temperature: at beta = ±∞ it is +0 or -0.
 * @param {number} value
 */
export function temperatureText(value) {
  if (value === 0) return Object.is(value, -0) ? MINUS + "0" : "+0";
  return value === Infinity ? "∞" : number(value);
}

/**
 * A probability, from its natural logarithm, so that none is too small to show.
 * @param {number} logarithm
 */
export function probability(logarithm) {
  if (logarithm === -Infinity) return "0";
  const value = Math.exp(logarithm);
  if (value >= 0.9995) return "100%";
  if (value >= 0.1) return `${(value * 100).toFixed(1)}%`;
  if (value >= 1e-4) return `${Number((value * 100).toPrecision(2))}%`;
  const decades = Math.floor(logarithm / Math.LN10);
  return `${(10 ** (logarithm / Math.LN10 - decades)).toFixed(1)}·10${raised(decades)}`;
}

/**
 * @param {number} value
 * @param {number} digits
 */
function power(value, digits) {
  const [mantissa = "", exponent = ""] = value.toExponential(digits).split("e");
  return `${String(Number(mantissa)).replace("-", MINUS)}·10${raised(Number(exponent))}`;
}

/** @param {number} exponent */
function raised(exponent) {
  return (exponent < 0 ? "⁻" : "") + [...String(Math.abs(exponent))].map((digit) => RAISED[Number(digit)]).join("");
}

/**
 * As the command line and a link take it: inf, -inf, or digits that are read back as the same number.
 * @param {number} value
 */
export function plain(value) {
  if (value === Infinity) return "inf";
  if (value === -Infinity) return "-inf";
  return Object.is(value, -0) ? "0" : String(value);
}

/**
 * A number as somebody types it, ∞ and U+2212 among it; null where it is none.
 * @param {string} text
 * @returns {number | null}
 */
export function typed(text) {
  const cleaned = text.trim().toLowerCase().replaceAll(MINUS, "-").replace("∞", "inf").replace("infinity", "inf");
  if (/^\+?inf$/.test(cleaned)) return Infinity;
  if (cleaned === "-inf") return -Infinity;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(cleaned)) return null;
  return Number(cleaned);
}
