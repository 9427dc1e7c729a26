"""Operations of pipelines and transactions."""
