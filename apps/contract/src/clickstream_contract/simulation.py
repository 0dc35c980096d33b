"""The simulation: the models of a ``ClickstreamSimulation`` resource.

Owns the fields of ``spec``, their bounds, defaults and consistency. The local file, the operator
and the resource's schema use the same models. :mod:`clickstream_contract.document` reads documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from clickstream_contract.countries import COUNTRIES, DEFAULT_LOCALE, LOCALES
from clickstream_contract.currencies import CURRENCIES, DEFAULT_CURRENCY
from clickstream_contract.duration import format_duration
from clickstream_contract.effects import Effects
from clickstream_contract.events import HIGHEST_COUNT, MAX_SHARDS
from clickstream_contract.experiments import MOST_EXPERIMENTS, Experiment
from clickstream_contract.incidents import (
    MOST_INCIDENTS,
    Incident,
    RandomIncidents,
    drawn_incidents,
    refuse_overlaps,
)
from clickstream_contract.naming import (
    DNS_LABEL,
    MAX_LABEL_LENGTH,
    NAME,
    NAMESPACE,
    SERVERS,
    full_name,
)
from clickstream_contract.output import EventOutput
from clickstream_contract.parts import (
    Duration,
    NameReference,
    Part,
    Permille,
    Weight,
    as_tuple,
    refuse,
    refuse_illegal_steps,
)
from clickstream_contract.personas import PERSONAS
from clickstream_contract.rate import Rate
from clickstream_contract.tastes import Tastes
from clickstream_contract.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from clickstream_contract.effects import Overlay

__all__ = [
    "FIXED_FIELDS",
    "Backfill",
    "Catalog",
    "CountryShare",
    "Devices",
    "Faults",
    "KafkaTarget",
    "PersonaDefinition",
    "PersonaShare",
    "Simulation",
    "SimulationSpec",
    "StopAfter",
    "Workers",
]

_WEEK_SECONDS = 604_800


class PersonaShare(Part):
    """A persona and its share of the users."""

    persona: Annotated[str, Field(max_length=63, description="A preset, or one of spec.personas.")]
    weight: Annotated[Weight, Field(description="Share relative to the other weights.")]


class PersonaDefinition(Part):
    """A custom persona, based on a preset."""

    name: Annotated[
        str,
        Field(
            pattern=r"^[A-Z][A-Za-z0-9]{0,62}$",
            max_length=63,
            description="Its name; a preset's name replaces the preset.",
        ),
    ]
    based_on: Annotated[str, Field(max_length=63, description="The preset that it is based on.")]
    transitions: Annotated[
        dict[str, dict[str, Weight]],
        Field(max_length=13, description="Weights of single steps, by the previous step."),
    ] = Field(default_factory=dict)
    think_median_milliseconds: Annotated[
        int | None, Field(ge=200, le=600_000, description="Median time between two steps.")
    ] = None
    think_sigma_permille: Annotated[
        int | None, Field(ge=0, le=3_000, description="Sigma of that time's logarithm.")
    ] = None
    return_permille: Annotated[
        Permille | None, Field(description="Of 1000 sessions, how many by returning users.")
    ] = None
    price_sense_permille: Annotated[
        Permille | None, Field(description="Of 1000 items viewed, how many are the cheaper of two.")
    ] = None
    weekend_permille: Annotated[
        int | None, Field(ge=1, le=10_000, description="Weekend relative to weekday, in permille.")
    ] = None
    hourly: Annotated[
        tuple[Weight, ...] | None,
        BeforeValidator(as_tuple),
        Field(min_length=24, max_length=24, description="Relative traffic in each local hour."),
    ] = None

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.based_on not in PERSONAS:
            raise refuse("basedOn", self.based_on, "one of " + ", ".join(PERSONAS))
        refuse_illegal_steps(self.transitions)
        if self.hourly is not None and not any(self.hourly):
            raise refuse("hourly", 0, "at least one hour above 0")
        return self


def _one_of(names: Iterable[str]) -> AfterValidator:
    """Return a validator of a text that must be one of the names."""
    allowed = tuple(names)

    def check(name: str) -> str:
        if name not in allowed:
            raise refuse("", name, "one of " + ", ".join(allowed))
        return name

    return AfterValidator(check)


class Catalog(Part):
    """The products of the shop."""

    products: Annotated[int, Field(ge=1, le=200_000, description="Number of products.")] = 1_000
    categories: Annotated[int, Field(ge=1, le=500, description="Number of categories.")] = 25
    currency: Annotated[
        str,
        Field(max_length=3, description="Currency of the prices, ISO 4217."),
        _one_of(CURRENCIES),
    ] = DEFAULT_CURRENCY
    locale: Annotated[
        str,
        Field(max_length=5, description="Language and country of the products' names, BCP 47."),
        _one_of(LOCALES),
    ] = DEFAULT_LOCALE

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.categories > self.products:
            raise refuse("categories", self.categories, "no more categories than products")
        return self


class CountryShare(Part):
    """A country and its share of the users."""

    code: Annotated[
        str,
        Field(max_length=2, description="ISO 3166-1 alpha-2."),
        _one_of(COUNTRIES),
    ]
    weight: Annotated[Weight, Field(description="Share relative to the other weights.")]


class Devices(Part):
    """Shares of the devices."""

    mobile: Annotated[Weight, Field(description="Phones.")] = 600
    desktop: Annotated[Weight, Field(description="Computers.")] = 350
    tablet: Annotated[Weight, Field(description="Tablets.")] = 50

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if not self.mobile + self.desktop + self.tablet:
            raise refuse("", 0, "at least one weight above 0")
        return self


class Backfill(Part):
    """History before the live stream."""

    days: Annotated[int, Field(ge=1, le=400, description="Number of days.")]


class StopAfter(Part):
    """When the run ends."""

    duration_seconds: Annotated[
        Duration | None, Field(alias="duration", description="After this live time.")
    ] = None
    events: Annotated[
        int | None, Field(ge=1, le=HIGHEST_COUNT, description="After exactly this many events.")
    ] = None

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if (self.duration_seconds is None) == (self.events is None):
            raise refuse("", None, "exactly one of duration and events")
        return self


class Faults(Part):
    """The faults planted into the stream on purpose, in permille of the events."""

    duplicate_permille: Annotated[Permille, Field(description="Sent twice.")] = 0
    late_permille: Annotated[Permille, Field(description="Held back and sent late.")] = 0
    max_lateness_seconds: Annotated[
        int, Field(ge=1, le=86_400, description="Longest delay of a late event.")
    ] = 600
    corrupt_permille: Annotated[Permille, Field(description="Followed by a corrupt copy.")] = 0
    future_permille: Annotated[
        Permille, Field(description="Followed by a copy dated in the future.")
    ] = 0
    loss_permille: Annotated[Permille, Field(description="Numbered but never sent.")] = 0

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        total = (
            self.duplicate_permille
            + self.late_permille
            + self.corrupt_permille
            + self.future_permille
            + self.loss_permille
        )
        if total > 1_000:
            raise refuse("", total, "shares that add up to 1000 permille at most")
        return self


class ClusterReference(Part):
    """A Strimzi cluster in the same namespace; network policies use its name as a label value."""

    name: Annotated[
        str, Field(pattern=DNS_LABEL, max_length=MAX_LABEL_LENGTH, description="Its name.")
    ]


class KafkaTarget(Part):
    """The Kafka cluster for the events."""

    cluster_ref: Annotated[
        ClusterReference | None, Field(description="A Strimzi cluster in the same namespace.")
    ] = None
    bootstrap_servers: Annotated[
        str | None,
        Field(
            pattern=SERVERS,
            max_length=1_024,
            description="Addresses host:port instead, which the operator must allow.",
        ),
    ] = None
    credentials_secret_ref: Annotated[
        NameReference | None,
        Field(
            description="Secret with username and password for SASL. "
            'It needs the label clickstream.dev/credentials: "true".'
        ),
    ] = None
    ca_secret_ref: Annotated[
        NameReference | None, Field(description="Secret with ca.crt for TLS.")
    ] = None

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.cluster_ref is not None and self.bootstrap_servers is not None:
            raise refuse("", None, "one of clusterRef and bootstrapServers, not both")
        return self


class Workers(Part):
    """The number of pods that carry the shards."""

    count: Annotated[int | None, Field(ge=1, le=1_024, description="Exactly this many.")] = None
    max: Annotated[
        int | None, Field(ge=1, le=1_024, description="As many as needed, up to this number.")
    ] = None

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.count is not None and self.max is not None:
            raise refuse("", None, "one of count and max, not both")
        return self


def _weighted(rows: Sequence[PersonaShare | CountryShare], key: str, path: str) -> None:
    """Raise an error if all weights are zero or a name occurs twice."""
    if not sum(row.weight for row in rows):
        raise refuse(path, 0, "at least one weight above 0")
    seen: set[str] = set()
    for place, row in enumerate(rows):
        name = getattr(row, key)
        if name in seen:
            raise refuse(f"{path}[{place}].{key}", name, "each name once")
        seen.add(name)


def _known_personas(
    rows: Sequence[Overlay | Experiment | Incident], known: Sequence[str], path: str
) -> None:
    """Raise an error if a row is about a persona that does not exist."""
    for place, row in enumerate(rows):
        for name in row.who.personas:
            if name not in known:
                allowed = "one of " + ", ".join(dict.fromkeys(known))
                raise refuse(f"{path}[{place}].who.personas", name, allowed)


FIXED_FIELDS = (
    "seed", "users", "catalog", "countries", "devices", "experiments", "incidents",
    "random_incidents", "tastes", "backfill", "output", "shards",
)  # fmt: skip
"""The fields that cannot change in a run: its users and its world are built from them, a user
stays in one arm and likes the same, its incidents keep their truth, and its events stay in one
place."""


class SimulationSpec(Part):
    """The specification of a simulation."""

    seed: Annotated[int, Field(ge=0, le=2**53 - 1, description="The same seed, the same events.")]
    rate: Annotated[Rate, Field(description="The rate of events.")]
    user_mix: Annotated[
        tuple[PersonaShare, ...],
        BeforeValidator(as_tuple),
        Field(min_length=1, max_length=50, description="The personas and their weights."),
    ]
    personas: Annotated[
        tuple[PersonaDefinition, ...],
        BeforeValidator(as_tuple),
        Field(max_length=50, description="Custom personas."),
    ] = ()
    effects: Annotated[Effects, Field(description="How sessions differ by user and time.")] = (
        Effects()
    )
    experiments: Annotated[
        tuple[Experiment, ...],
        BeforeValidator(as_tuple),
        Field(max_length=MOST_EXPERIMENTS, description="Experiments with arms by user."),
    ] = ()
    incidents: Annotated[
        tuple[Incident, ...],
        BeforeValidator(as_tuple),
        Field(max_length=MOST_INCIDENTS, description="What breaks, for whom and when."),
    ] = ()
    random_incidents: Annotated[
        RandomIncidents | None, Field(description="Further incidents, which the seed draws.")
    ] = None
    tastes: Annotated[
        Tastes | None,
        Field(description="What single users like, and which products go together; off if absent."),
    ] = None
    users: Annotated[int, Field(ge=1, le=10_000_000, description="Number of users.")] = 100_000
    catalog: Annotated[Catalog, Field(description="The products of the shop.")] = Catalog()
    countries: Annotated[
        tuple[CountryShare, ...],
        BeforeValidator(as_tuple),
        Field(min_length=1, max_length=22, description="The countries of the users."),
    ] = (CountryShare(code="DE", weight=400), CountryShare(code="US", weight=600))
    devices: Annotated[Devices, Field(description="The devices of the users.")] = Devices()
    backfill: Annotated[
        Backfill | None, Field(description="History before the live stream, sent at full speed.")
    ] = None
    stop_after: Annotated[
        StopAfter | None, Field(description="When the run ends; never if absent.")
    ] = None
    faults: Annotated[Faults, Field(description="Faults on purpose.")] = Faults()
    kafka: Annotated[KafkaTarget, Field(description="The Kafka for the events.")] = KafkaTarget()
    output: Annotated[
        EventOutput | None, Field(description="Another output, which the stream does not read.")
    ] = None
    shards: Annotated[
        int, Field(ge=1, le=MAX_SHARDS, description="Number of shards: fixed parts of the users.")
    ] = 16
    workers: Annotated[
        Workers, Field(description="Number of pods that carry the shards; the operator limits it.")
    ] = Workers()
    suspend: Annotated[bool, Field(description="Whether the simulation is suspended.")] = False
    verification: Annotated[
        Verification | None,
        Field(description="How the operator verifies the tables; without it, it does not."),
    ] = None

    @property
    def event_output(self) -> EventOutput:
        """The output, with its defaults."""
        return self.output or EventOutput()

    @property
    def every_incident(self) -> tuple[Incident, ...]:
        """The incidents by time; one that is drawn gives way to those that are named."""
        drawn = drawn_incidents(self.seed, self.random_incidents) if self.random_incidents else ()
        free = [one for one in drawn if not any(map(one.overlaps, self.incidents))]
        return tuple(sorted((*self.incidents, *free), key=lambda one: one.span_seconds))

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        _weighted(self.user_mix, "persona", "userMix")
        _weighted(self.countries, "code", "countries")
        known = [*PERSONAS, *(own.name for own in self.personas)]
        for place, share in enumerate(self.user_mix):
            if share.persona not in known:
                allowed = "one of " + ", ".join(dict.fromkeys(known))
                raise refuse(f"userMix[{place}].persona", share.persona, allowed)
        _known_personas(self.effects.overlays, known, "effects.overlays")
        _known_personas(self.experiments, known, "experiments")
        _known_personas(self.incidents, known, "incidents")
        refuse_overlaps(self.incidents)
        for path, named in (("personas", self.personas), ("experiments", self.experiments)):
            names = [row.name for row in named]
            if len(set(names)) != len(names):
                raise refuse(path, names, "each name once")
        if self.users < self.shards:
            raise refuse("users", self.users, f"at least one user per shard: {self.shards}")
        if self.verification is not None and not (
            self.verification.mapping or self.event_output.is_stored
        ):
            allowed = "a mapping, because the stream does not store the events of spec.output"
            raise refuse("verification.mapping", None, allowed)
        return self


class Simulation(Part):
    """A simulation with its name and, on Kubernetes always, its namespace."""

    name: Annotated[str, Field(pattern=NAME, max_length=MAX_LABEL_LENGTH)]
    namespace: Annotated[str | None, Field(pattern=NAMESPACE, max_length=MAX_LABEL_LENGTH)] = None
    spec: SimulationSpec
    labels: dict[str, str] = Field(default_factory=dict)
    effective_from_seconds: float | None = None
    """When a change takes effect, Unix seconds; at once if absent."""
    resumed_at_seconds: float | None = None
    """When the simulation was resumed after a suspension, Unix seconds."""

    @property
    def full_name(self) -> str:
        """The name that identifies the simulation in events, tables and metrics."""
        return full_name(self.name, self.namespace)

    def with_overrides(
        self,
        *,
        duration_seconds: int | None = None,
        events_per_second: int | None = None,
        events: int | None = None,
    ) -> Simulation:
        """Return the simulation with another duration, number of events or rate."""
        changes: dict[str, Any] = {}
        if events is not None:
            changes["stop_after"] = StopAfter.model_validate({"events": events})
        if duration_seconds is not None:
            changes["stop_after"] = StopAfter.model_validate(
                {"duration": format_duration(duration_seconds)}
            )
        if events_per_second is not None:
            rate = {"events_per_second": events_per_second, "events_per_minute": None}
            changes["rate"] = self.spec.rate.model_copy(update=rate)
        return self.model_copy(update={"spec": self.spec.model_copy(update=changes)})
