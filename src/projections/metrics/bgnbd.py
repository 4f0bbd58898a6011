"""BG/NBD and Gamma-Gamma on sufficient statistics: how often customers will buy again, and what they spend.

x = repeat occasions, t_x = time of the last one, T = time observed, all from the first occasion, in weeks; zbar = mean amount of
a repeat occasion. Sources: Fader, Hardie & Lee (2005), "Counting your customers the easy way", Marketing Science 24(2); Fader &
Hardie (2013), "The Gamma-Gamma model of monetary value".
"""

from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-10
LOG_BOUND = 20.0


@dataclass(frozen=True, slots=True)
class BgNbd:
    """Parameters of the BG/NBD model and the log-likelihood they were found at."""

    r: float
    alpha: float
    a: float
    b: float
    log_likelihood: float


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Parameters of the Gamma-Gamma model (`gamma` in the unit of the amounts) and their log-likelihood."""

    p: float
    q: float
    gamma: float
    log_likelihood: float


class NotFitted(Exception):
    """The likelihood has no maximum that could be found."""


def fit_bgnbd(x: Any, t_x: Any, observed: Any, weights: Any) -> BgNbd:
    """Fit by maximum likelihood.

    Args:
        x, t_x, observed: arrays of sufficient statistics. weights: how many customers have each.

    Raises:
        NotFitted
    """
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    def negative(logs: Any) -> float:
        return -float(np.sum(weights * log_likelihood(np.exp(logs), x, t_x, observed)))

    scale = float(np.average(observed, weights=weights)) / 4
    (r, alpha, a, b), value = _minimum(negative, np.log([0.5, scale, 0.8, 2.0]))
    return BgNbd(r, alpha, a, b, -value)


def log_likelihood(parameters: Any, x: Any, t_x: Any, observed: Any) -> Any:
    """Of each customer. Source: Fader, Hardie & Lee (2005), equation 6, by its logarithms."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here
    from scipy.special import gammaln  # noqa: PLC0415 - the same

    r, alpha, a, b = parameters
    first = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
    second = gammaln(a + b) + gammaln(b + x) - gammaln(b) - gammaln(a + b + x)
    alive = -(r + x) * np.log(alpha + observed)
    died = np.log(a) - np.log(b + np.maximum(x, 1) - 1) - (r + x) * np.log(alpha + t_x)
    return first + second + np.where(x > 0, np.logaddexp(alive, died), alive)


def alive(model: BgNbd, x: Any, t_x: Any, observed: Any) -> Any:
    """The probability that a customer still buys, at the end of what was observed."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    odds = _odds_of_death(model, x, t_x, observed)
    return 1 / (1 + np.where(x > 0, odds, 0))


def expected_orders(model: BgNbd, weeks: float, x: Any, t_x: Any, observed: Any) -> Any:
    """Expected repeat occasions of a customer in the next weeks. Source: the same, equation 10."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here
    from scipy.special import hyp2f1  # noqa: PLC0415 - the same

    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    ratio = ((alpha + observed) / (alpha + observed + weeks)) ** (r + x)
    series = hyp2f1(r + x, b + x, a + b + x - 1, weeks / (alpha + observed + weeks))
    expected = (a + b + x - 1) / (a - 1) * (1 - ratio * series)
    return expected / (1 + np.where(x > 0, _odds_of_death(model, x, t_x, observed), 0))


def expected_orders_of_a_new_customer(model: BgNbd, weeks: float) -> float:
    """Expected repeat occasions of a customer nothing is known of. Source: the same, equation 9."""
    from scipy.special import hyp2f1  # noqa: PLC0415 - heavy, and only wanted here

    r, alpha, a, b = model.r, model.alpha, model.a, model.b
    series = hyp2f1(r, b, a + b - 1, weeks / (alpha + weeks))
    return float((a + b - 1) / (a - 1) * (1 - (alpha / (alpha + weeks)) ** r * series))


def fit_gamma_gamma(x: Any, mean_amount: Any) -> GammaGamma:
    """Fit by maximum likelihood to customers with a repeat occasion and a mean amount above 0.

    Raises:
        NotFitted
    """
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here
    from scipy.special import gammaln  # noqa: PLC0415 - the same

    def negative(logs: Any) -> float:
        p, q, gamma = np.exp(logs)
        each = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma)
        each = each + (p * x - 1) * np.log(mean_amount) + p * x * np.log(x)
        return -float(np.sum(each - (p * x + q) * np.log(gamma + x * mean_amount)))

    (p, q, gamma), value = _minimum(negative, np.log([5.0, 4.0, float(np.mean(mean_amount)) / 2]))
    return GammaGamma(p, q, gamma, -value)


def expected_amount(model: GammaGamma, x: Any, mean_amount: Any) -> Any:
    """The expected mean amount of a customer's occasions. Source: Fader & Hardie (2013), equation 5."""
    return model.p * (model.gamma + x * mean_amount) / (model.p * x + model.q - 1)


def _odds_of_death(model: BgNbd, x: Any, t_x: Any, observed: Any) -> Any:
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here

    share = ((model.alpha + observed) / (model.alpha + t_x)) ** (model.r + x)
    return model.a / (model.b + np.maximum(x, 1) - 1) * share


def _minimum(function: Any, start: Any) -> tuple[list[float], float]:
    """The parameters (not their logarithms) at the minimum, and the value there."""
    import numpy as np  # noqa: PLC0415 - heavy, and only wanted here
    from scipy.optimize import minimize  # noqa: PLC0415 - the same

    bounds = [(-LOG_BOUND, LOG_BOUND)] * len(start)
    rough = minimize(function, start, method="L-BFGS-B", bounds=bounds)
    fine = minimize(
        function, rough.x, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": TOLERANCE, "maxiter": 4_000}
    )
    if not fine.success or not np.all(np.abs(fine.x) < LOG_BOUND - 1):
        raise NotFitted
    return [float(one) for one in np.exp(fine.x)], float(fine.fun)
