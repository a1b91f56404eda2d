-- Regressions between two builds: instructions of a call, a value per run, by the rank-sum test. All pairs of builds that have
-- four runs or more of the same workload. Two-sided, by the normal distribution with corrections for continuity and ties;
-- erfc as in Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26 (error below 1.5e-7).
with cost as (
    select coalesce(i.workload, '') as workload, i.syscall, r.build_id, min(r.release) as release, i.run,
        sum(i.instructions) * 1.0 / count(*) as cost
    from ios i join runs r on r.run = i.run
    where r.build_id is not null
    group by i.workload, i.syscall, r.build_id, i.run
),
builds as (
    select workload, syscall, build_id, min(release) as release, count(*) as runs, median(cost) as median_cost
    from cost group by workload, syscall, build_id having count(*) >= 4
),
pairs as (
    select a.workload, a.syscall, a.build_id as build_a, b.build_id as build_b, a.release as release_a,
        b.release as release_b, a.runs as runs_a, b.runs as runs_b, a.median_cost as median_a, b.median_cost as median_b
    from builds a join builds b on a.workload = b.workload and a.syscall = b.syscall
        and (a.release < b.release or a.release = b.release and a.build_id < b.build_id)
),
ranked as (
    select p.workload, p.syscall, p.build_a, p.build_b, c.build_id,
        rank() over (partition by p.workload, p.syscall, p.build_a, p.build_b order by c.cost) as least_rank,
        count(*) over (partition by p.workload, p.syscall, p.build_a, p.build_b, c.cost) as ties
    from pairs p join cost c on c.workload = p.workload and c.syscall = p.syscall and c.build_id in (p.build_a, p.build_b)
),
sums as (
    select workload, syscall, build_a, build_b,
        sum(case when build_id = build_a then least_rank + (ties - 1) / 2.0 else 0 end) as rank_sum,
        sum((ties * ties - 1) * 1.0) as tied
    from ranked group by workload, syscall, build_a, build_b
),
scores as (
    select p.*, abs(s.rank_sum - runs_a * (runs_a + runs_b + 1) / 2.0) as distance,
        sqrt(runs_a * runs_b / 12.0
            * (runs_a + runs_b + 1 - s.tied / ((runs_a + runs_b) * (runs_a + runs_b - 1)))) as deviation
    from pairs p join sums s on s.workload = p.workload and s.syscall = p.syscall and s.build_a = p.build_a
        and s.build_b = p.build_b
),
normal as (
    select *, case when deviation > 0 and distance > 0.5 then (distance - 0.5) / deviation / sqrt(2) else 0 end as x
    from scores
),
tested as (
    select *, 1 / (1 + 0.3275911 * x) as t from normal
)
select workload, syscall, release_a, substr(build_a, 1, 12) as build_a, runs_a, release_b, substr(build_b, 1, 12) as build_b,
    runs_b, round(median_a, 1) as median_a, round(median_b, 1) as median_b,
    round(100.0 * (median_b - median_a) / median_a, 2) as percent,
    round(least(1, t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
        * exp(-x * x)), 6) as p
from tested
order by p, workload, syscall, release_a, build_a, release_b, build_b
